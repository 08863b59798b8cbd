//! Metrics of everything that answers like Prometheus: Prometheus, Thanos, Mimir, Cortex, VictoriaMetrics, a Grafana
//! data-source proxy.

pub mod fold;
pub mod sink;
