// npm pino-loki: JSON pushes, batched.
// node pino-loki.js PORT TOKEN MARKER COUNT
const pino = require("pino");
const pinoLoki = require("pino-loki");

const [port, token, marker, count] = process.argv.slice(2);
const create = pinoLoki.default || pinoLoki.pinoLoki || pinoLoki;
const stream = create({
  host: `http://127.0.0.1:${port}`,
  basicAuth: { username: "tenant", password: token },
  labels: { app: "shop" },
  batching: { interval: 1 },
});
const logger = pino({ level: "info" }, stream);
for (let number = 0; number < Number(count); number += 1) {
  logger.info(`${marker}-${number}`);
}
setTimeout(() => { stream.end(); }, 1500);
setTimeout(() => process.exit(0), 4000);
