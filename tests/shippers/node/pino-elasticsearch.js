// npm pino-elasticsearch: the bulk helper of elasticsearch-js.
// node pino-elasticsearch.js PORT TOKEN MARKER COUNT
const pino = require("pino");
const pinoElastic = require("pino-elasticsearch");

const [port, token, marker, count] = process.argv.slice(2);
const stream = pinoElastic({
  index: "logs-app-default",
  node: `http://127.0.0.1:${port}/elastic`,
  auth: { username: "winnow", password: token },
  opType: "create",
  flushBytes: 10_000,
  flushInterval: 500,
});
stream.on("insertError", (problem) => console.error(String(problem)));
stream.on("error", (problem) => console.error(String(problem)));
const logger = pino({ level: "info" }, stream);
for (let number = 0; number < Number(count); number += 1) {
  logger.info(`${marker}-${number}`);
}
setTimeout(() => process.exit(0), 8000);
