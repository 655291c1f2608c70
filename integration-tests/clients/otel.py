"""Exports logs and metrics with OpenTelemetry's SDK over OTLP/HTTP to the address in argv[1]."""

import logging
import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

base = sys.argv[1]
resource = Resource.create(
    {"service.name": "checkout", "service.namespace": "shop", "service.instance.id": "one", "team.lead": "Ann"}
)

logs = LoggerProvider(resource=resource)
exporter = OTLPLogExporter(endpoint=f"{base}/otlp/v1/logs", compression=Compression.Gzip)
logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = logs.get_logger("cart", "1.2.3")
for n in range(100):
    logger.emit(
        timestamp=int(sys.argv[2]) + n,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body=f"cart {n} is empty: \u00fcber \"quoted\" \\ {{}}",
        attributes={"cart.id": n, "cart.items": ["a", "b"]},
    )
logs.shutdown()

reader = PeriodicExportingMetricReader(
    OTLPMetricExporter(endpoint=f"{base}/otlp/v1/metrics"), export_interval_millis=3_600_000
)
metrics = MeterProvider(resource=resource, metric_readers=[reader])
meter = metrics.get_meter("cart", "1.2.3")
counter = meter.create_counter("cart.checkouts", unit="1")
counter.add(3, {"kind": "card"})
counter.add(4, {"kind": "card"})
meter.create_up_down_counter("cart.open").add(-2)
gauge = meter.create_gauge("cart.temperature", unit="Cel")
gauge.set(21.5)
histogram = meter.create_histogram("cart.duration", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1.0])
for value in (0.05, 0.5, 5.0):
    histogram.record(value)
metrics.force_flush()
metrics.shutdown()
logging.shutdown()
