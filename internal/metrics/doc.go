// Package metrics publishes Canal's Prometheus metrics over HTTP, so that its
// dashboard and alert rules keep working: same names (counters without _total),
// labels, types, help texts and number format as Canal's collectors and the
// Prometheus Java client they use. Metrics that Canal does not have begin with
// towpath_.
//
// [Server] serves the page. The figures are asked for at each scrape, see
// [Options]; the package itself counts nothing.
package metrics
