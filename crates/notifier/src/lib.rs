//! Sends alerts to Alertmanagers: which ones there are, queues, batches, and what may be reached.
