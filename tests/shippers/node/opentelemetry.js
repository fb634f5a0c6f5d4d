// OpenTelemetry JS: log records over OTLP/HTTP with gzip, sent chunked; JSON or protobuf.
// node opentelemetry.js PORT TOKEN MARKER COUNT http|proto
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");

const [port, token, marker, count, encoding] = process.argv.slice(2);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${encoding}`);
const exporter = new OTLPLogExporter({
  url: `http://127.0.0.1:${port}/v1/logs`,
  headers: { Authorization: `Bearer ${token}` },
  compression: "gzip",
  timeoutMillis: 30_000,
});
const processor = new BatchLogRecordProcessor({ exporter, exportTimeoutMillis: 30_000 });
const provider = new LoggerProvider({ processors: [processor] });
const logger = provider.getLogger("app");
for (let number = 0; number < Number(count); number += 1) {
  logger.emit({ body: `${marker}-${number}`, severityNumber: 9, attributes: { "user.name": "ada" } });
}
provider.forceFlush().then(() => provider.shutdown());
