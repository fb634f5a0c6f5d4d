// npm winston-loki: snappy and protobuf, batched.
// node winston-loki.js PORT TOKEN MARKER COUNT
const winston = require("winston");
const LokiTransport = require("winston-loki");

const [port, token, marker, count] = process.argv.slice(2);
const transport = new LokiTransport({
  host: `http://127.0.0.1:${port}`,
  basicAuth: `tenant:${token}`,
  labels: { app: "shop" },
  json: false,
  interval: 1,
  onConnectionError: (problem) => console.error(String(problem)),
});
const logger = winston.createLogger({ transports: [transport] });
for (let number = 0; number < Number(count); number += 1) {
  logger.info(`${marker}-${number}`);
}
transport.flush().then(() => setTimeout(() => process.exit(0), 2500));
