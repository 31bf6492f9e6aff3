// Package api answers the HTTP calls of the admin: Canal's own, which its web
// pages, its servers and the scripts of operators use, the ones beyond them that
// model.go lists, and the files of the web pages.
//
// Its central type is [API]. Every call is registered once, by [route] or
// [API.stream], with its path, its role and its types; the router, the check of
// the log-in and the OpenAPI document all come from that registration. Calls of
// Canal answer as com.alibaba.otter.canal.admin does, faults of its safety
// excepted: docs/differences.md lists them.
//
// The package keeps nothing but when servers last polled. Rows are in
// internal/admin/database, log-ins in internal/admin/identity, and servers are
// asked through [Fleet].
package api
