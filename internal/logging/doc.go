// Package logging writes log/slog records into the files a Canal install has,
// so that the scripts and shippers people built around them go on working:
//
//	logs/canal/canal.log               records without a destination
//	logs/<destination>/<destination>.log  records with a "destination" attribute
//	logs/<destination>/meta.log        cursor flushes, see Logs.Meta
//
// Lines look as Canal's logback.xml makes them, with the attributes of the
// record behind the message. Files are rotated daily and by size into
// logs/<name>/<yyyy-MM-dd>/<name>-<yyyy-MM-dd>-<i>.log.gz, and 14 days are kept.
//
// The admin has one log instead, logs/admin.log, rotated into logs/admin/<yyyy-MM-dd>;
// see Options.Single.
//
// Logging never stops the server: a file that cannot be written costs one
// complaint on standard error and the lines until it works again, which are
// counted.
//
// The package does not decide what is logged; levels and texts belong to the
// callers.
package logging
