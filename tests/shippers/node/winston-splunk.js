// npm winston-splunk-httplogger: one HEC request per record.
// node winston-splunk.js PORT TOKEN MARKER COUNT
const winston = require("winston");
const SplunkStreamEvent = require("winston-splunk-httplogger");

const [port, token, marker, count] = process.argv.slice(2);
const splunk = new SplunkStreamEvent({ splunk: { url: `http://127.0.0.1:${port}`, token, maxRetries: 8 } });
splunk.on("error", (problem) => console.error(String(problem)));
const logger = winston.createLogger({ transports: [splunk] });
for (let number = 0; number < Number(count); number += 1) {
  logger.info(`${marker}-${number}`);
}
