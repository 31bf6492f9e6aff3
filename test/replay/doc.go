// Command replay applies what Towpath delivers to an empty database and compares
// that with the source: all tables, their definitions and their rows have to be the
// same in the end, whatever happened on the way.
//
//	make replay                                  24 schedules
//	go run ./test/replay -seed N -schedules 1    one of them again
//	go run ./test/replay -only mysql57           those whose line has a word
//
// TestReplayShort runs three that are shorter, with new seeds each time.
//
// # A schedule
//
// A seed decides everything but the exact moments: the kind of server, file or GTID
// mode, one Towpath server with cursors in a file or two with ZooKeeper, and other
// settings; the statements; the faults.
//
// Three sessions, each with two schemas of its own, change rows and definitions as
// fast as the source lets them: columns are added, dropped, renamed, reordered and
// replaced by others of their name, tables swap names, are dropped and made again in
// another shape, copied and exchanged as gh-ost and pt-online-schema-change do,
// partitioned, converted, dropped with their schema. Names come from small sets, and
// most columns have one of two types, or all the same one: a definition of another
// moment fits the rows often, and only the names, and so the values, come out wrong.
//
// Meanwhile the client holds its acks back, stops reading, gives batches back and
// reconnects; the connection to the source is cut; servers are ended in good order
// or killed, while the client is far behind or not, and again while they start; in a
// cluster, the other one takes over or is told to. So the stream is resumed at places
// whose tables have long been something else in the source. In some schedules the
// source refuses to show definitions, so that nothing is made good by asking it.
//
// # What is checked
//
//	again    What comes again is what came before: the same events in the same order,
//	         with the same tables, columns, types and values. Delivery begins anew
//	         only at entries that were not confirmed, and leaves nothing out.
//	columns  A row has the columns which its table has by the statements delivered
//	         before it, in that order, with those types and that primary key.
//	image    A row that is changed or deleted is there, and has been what the delivered
//	         image says, column by column.
//	end      SHOW CREATE TABLE of each table and all its rows are the same.
//
// # What is not
//
// Statements that make no entry with Canal's parser, such as ALTER TABLE … PARTITION
// BY alone, are made in schedules with canal.instance.filter.druid.ddl=false only. Row
// images are full. Compressed transactions, XA, foreign keys, and a source that is
// switched over are not in the schedules; nor are names with backquotes, which Canal
// doubles.
package main
