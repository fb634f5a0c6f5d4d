// npm splunk-logging: batches of HEC events; maxRetries counts network errors only.
// node splunk-logging.js PORT TOKEN MARKER COUNT
const { Logger } = require("splunk-logging");

const [port, token, marker, count] = process.argv.slice(2);
const logger = new Logger({ url: `http://127.0.0.1:${port}`, token, maxBatchCount: 0, maxRetries: 8 });
logger.error = (problem) => console.error(String(problem));
for (let number = 0; number < Number(count); number += 1) {
  logger.send({ message: `${marker}-${number}`, severity: "info" });
}
logger.flush();
