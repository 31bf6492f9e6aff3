package config

import (
	"slices"
	"strings"
)

// Scope says which look-up reads a key.
type Scope int

// The scopes.
const (
	ScopeServer   Scope = iota // launcher look-up, main properties file only
	ScopeInstance              // instance look-up, canal.properties or instance.properties
	ScopeQueue                 // launcher look-up, read by message queue producers
)

// String is the word used in docs/config.md.
func (s Scope) String() string {
	return [...]string{"server", "instance", "queue"}[s]
}

// Status says what a key does in this version.
type Status int

// The statuses.
const (
	Works    Status = iota // as in Canal
	NoEffect               // accepted; there is nothing for it to change
	NotYet                 // belongs to a part that this version does not have
	Removed                // Canal itself stopped reading it
)

// String is the word used in docs/config.md.
func (s Status) String() string {
	return [...]string{"works", "no effect", "not yet", "removed"}[s]
}

// Key describes one property key.
type Key struct {
	Name    string // may contain one <…> that stands for any text
	Scope   Scope
	Default string // value when the key is absent or, for instance keys, blank
	Status  Status
	Effect  string // what it does, or would do
	Why     string // for every status but Works: why it does nothing here
	Quiet   string // value at which a key without effect needs no mention; "" stands for false
	Secret  bool   // never shown
}

// Keys is the catalogue: every key Canal 1.1.9 knows, and Towpath's own, which
// begin with "towpath.", sorted by scope and name as docs/config.md lists them. The slice is the caller's own.
func Keys() []Key { return slices.Clone(catalogue) }

// LookupKey finds the catalogue entry for a key as written in a file. An exact
// name wins over a pattern.
func LookupKey(name string) (Key, bool) {
	if k, ok := exactKeys[name]; ok {
		return k, true
	}
	for _, k := range patternKeys {
		if k.matches(name) {
			return k, true
		}
	}
	return Key{}, false
}

// matches reports whether a pattern key covers name.
func (k Key) matches(name string) bool {
	before, rest, _ := strings.Cut(k.Name, "<")
	_, after, _ := strings.Cut(rest, ">")
	return len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}

// quietAt reports whether a key without effect need not be mentioned when it has
// this value: it asks for nothing.
func (k Key) quietAt(value string) bool {
	return value == "" || value == k.Quiet || k.Quiet == "" && strings.EqualFold(value, "false")
}

func (k Key) isPattern() bool { return strings.Contains(k.Name, "<") }

var (
	catalogue              = buildCatalogue()
	exactKeys, patternKeys = indexCatalogue(catalogue)
)

func indexCatalogue(keys []Key) (exact map[string]Key, patterns []Key) {
	exact = make(map[string]Key, len(keys))
	for _, k := range keys {
		if k.isPattern() {
			patterns = append(patterns, k)
		} else {
			exact[k.Name] = k
		}
	}
	return exact, patterns
}

// The reasons that several keys share; Report merges keys by reason.
const (
	whyManager  = "all instances are configured by the admin that canal.admin.manager names, or, where it is blank, by files"
	whyQueue    = "message queue producers are not supported in this version; with canal.serverMode = tcp nothing reads these keys in Canal either"
	whyRDS      = "fetching old binlog files from Aliyun RDS/OSS is not supported in this version"
	whyRemoved  = "Canal stopped reading this key after 1.1.4"
	whyRaw      = "entries are always kept encoded, which is what true asks for"
	whyChannel  = "there is one client for MySQL and it has TLS; the choice between bio and netty does not arise"
	whyNeverID  = "Canal declares the key and never reads it"
	whyBuffers  = "the operating system sizes the socket's buffers and the stream is read in pieces of up to 256 KiB; in Canal the key does not reach the socket either"
	whyTimeout  = "in Canal the value never reaches the socket; here the source counts as gone when nothing, not even a heartbeat, has come for 25 seconds, and a statement may take a minute"
	whyPieces   = "events are handed to the workers in pieces bounded by their bytes, at most two for each worker; a number of events would not bound memory"
	whyStream   = "reading a PolarDB-X stream by its name is not supported in this version; the binlog of the address is read as usual"
	whyConsumer = "Canal's server never reads this key; it belongs to consumers of the queue"
)

func buildCatalogue() []Key {
	var all []Key
	for _, part := range [][]Key{serverKeys, destinationKeys, instanceKeys, sourceKeys(), historyKeys, groupKeys(), localKeys, queueInstanceKeys, queueKeys, removedKeys()} {
		all = append(all, part...)
	}
	slices.SortStableFunc(all, func(a, b Key) int {
		if a.Scope != b.Scope {
			return int(a.Scope) - int(b.Scope)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

var serverKeys = []Key{
	{Name: "canal.id", Status: NoEffect, Effect: "nothing", Why: whyNeverID},
	{Name: "canal.ip", Effect: "address the client port listens on; blank means every interface"},
	{Name: "canal.register.ip", Effect: "address under which this server is known to others; blank means canal.ip, else the first address of the host that is not loopback"},
	{Name: "canal.port", Default: "11111", Effect: "port for clients"},
	{Name: "canal.metrics.pull.port", Default: "11112", Effect: "port for Prometheus; 0 or less switches it off"},
	{Name: "canal.user", Effect: "user clients must name; blank lets any user in"},
	{Name: "canal.passwd", Secret: true, Effect: "password of canal.user as hex SHA1(SHA1(password)), 40 digits without a star"},
	{Name: "canal.admin.manager", Effect: "address of the admin web application, host:port or a URL; when set, configuration comes from there. Admins that share a database may be named together, comma separated: they are tried in turn"},
	{Name: "canal.admin.port", Effect: "port on which an admin steers this server, and part of the name by which an admin knows it (11110 when blank); blank means none is opened"},
	{Name: "canal.admin.user", Effect: "user of the admin port, and with whom this server asks the admin; blank lets any user in"},
	{Name: "canal.admin.passwd", Secret: true, Effect: "password of canal.admin.user, hashed like canal.passwd; blank lets anybody use the admin port, and is refused with canal.admin.manager"},
	{Name: "canal.admin.register.auto", Default: "false", Effect: "have the admin create this node when it does not know it"},
	{Name: "canal.admin.register.cluster", Effect: "cluster to register in; blank means a server that is alone"},
	{Name: "canal.admin.register.name", Effect: "node name to register; blank means the host name"},
	{Name: "towpath.admin.tls.ca", Effect: "PEM file with the authorities to trust when the address of the admin begins with https; blank means the system's. Towpath's own key"},
	{Name: "towpath.admin.tls.insecure", Default: "false", Effect: "do not check the certificate of the admin, as Canal never does; for the time of a change-over. Towpath's own key"},
	{Name: "towpath.admin.port.tls.cert", Effect: "PEM file with the certificate of the admin port, together with towpath.admin.port.tls.key: the port then offers TLS to admins that know it. Towpath's own key"},
	{Name: "towpath.admin.port.tls.key", Effect: "PEM file with the key of that certificate, not encrypted. Towpath's own key"},
	{Name: "towpath.admin.port.tls.required", Default: "false", Effect: "refuse admins that do not use TLS on the admin port, Canal's among them. Towpath's own key"},
	{Name: "canal.zkServers", Effect: "ZooKeeper servers, host:port, comma separated, with an optional /path at the end; when set, servers elect who runs a destination"},
	{Name: "canal.withoutNetty", Effect: "the client port is opened when this is absent or exactly false"},
	{Name: "canal.serverMode", Default: "tcp", Effect: "tcp, or a message queue: kafka, rocketMQ, rabbitMQ, pulsarMQ (any case). Only tcp is supported in this version"},
	{Name: "canal.socketChannel", Default: "bio", Status: NoEffect, Effect: "Java client used towards MySQL", Why: whyChannel, Quiet: "bio"},
	{Name: "canal.destinations", Effect: "destinations started at once, comma separated"},
	{Name: "canal.destinations.expr", Effect: "prefix{from-to}; when not blank it replaces canal.destinations"},
	{Name: "canal.conf.dir", Default: "../conf", Effect: "folder whose sub-folders are destinations"},
	{Name: "canal.auto.scan", Default: "false", Effect: "watch canal.conf.dir: start, stop and reload destinations as instance.properties files appear, go and change"},
	{Name: "canal.auto.scan.interval", Default: "5", Effect: "seconds between the end of one scan and the next"},
	{Name: "canal.aliyun.accessKey", Status: NotYet, Effect: "Aliyun access key for queues and RDS", Why: whyQueue},
	{Name: "canal.aliyun.secretKey", Status: NotYet, Secret: true, Effect: "Aliyun secret key for queues and RDS", Why: whyQueue},
	{Name: "towpath.store.budget", Default: "1g", Effect: "bytes that the changes waiting for clients may take in memory, all destinations together; k, m or g at the end stand for units of 1024, 1024² and 1024³. Towpath's own key"},
	{Name: "towpath.zookeeper.session.timeout", Default: "10000", Effect: "milliseconds without a word from this server after which ZooKeeper gives its destinations to others, 1000 to 600000; ZooKeeper has bounds of its own. Towpath's own key"},
	{Name: "towpath.zookeeper.auth", Secret: true, Effect: "user:password for ZooKeeper's digest scheme; blank means none. Towpath's own key"},
	{Name: "towpath.zookeeper.acl", Default: "open", Effect: "who may read and change the nodes made here: open (everybody, which Canal's servers and clients need) or creator (who has the same towpath.zookeeper.auth or certificate). Towpath's own key"},
	{Name: "towpath.zookeeper.tls", Default: "false", Effect: "connect to ZooKeeper with TLS. Towpath's own key"},
	{Name: "towpath.zookeeper.tls.ca", Effect: "PEM file with the authorities to trust; blank means the system's. Towpath's own key"},
	{Name: "towpath.zookeeper.tls.cert", Effect: "PEM file with the certificate to present, together with towpath.zookeeper.tls.key. Towpath's own key"},
	{Name: "towpath.zookeeper.tls.key", Effect: "PEM file with the key of that certificate, not encrypted. Towpath's own key"},
	{Name: "towpath.cluster.weight", Default: "1", Effect: "this server's share of the destinations, a whole number from 1 to 1000, beside the weights of the other servers. Towpath's own key"},
	{Name: "towpath.cluster.rebalance", Default: "true", Effect: "move destinations to other servers, by an orderly hand-over, until each has its share; false leaves them where they run. Towpath's own key"},
	{Name: "canal.aliyun.uid", Default: "0", Status: NotYet, Effect: "Aliyun account id for RabbitMQ", Why: whyQueue, Quiet: "0"},
}

var destinationKeys = []Key{
	{Name: "canal.instance.global.mode", Default: "spring", Effect: "where instances are configured: spring (files), or manager (the admin), which needs canal.admin.manager; with that it is manager whatever stands here"},
	{Name: "canal.instance.global.lazy", Default: "false", Effect: "start a destination only when its first client comes; only true (any case) switches it on"},
	{Name: "canal.instance.global.manager.address", Status: NoEffect, Effect: "in Canal: the admin for instances in manager mode; exactly ${canal.admin.manager} means that key's value", Why: whyManager, Quiet: "${canal.admin.manager}"},
	{Name: "canal.instance.global.spring.xml", Default: "classpath:spring/file-instance.xml", Effect: "instance profile: file-instance.xml, memory-instance.xml, default-instance.xml or group-instance.xml; of any other file only the kinds of its metaManager, logPositionManager and eventParser are read"},
	{Name: "canal.instance.<destination>.mode", Effect: "canal.instance.global.mode for one destination"},
	{Name: "canal.instance.<destination>.lazy", Effect: "canal.instance.global.lazy for one destination"},
	{Name: "canal.instance.<destination>.manager.address", Status: NoEffect, Effect: "canal.instance.global.manager.address for one destination", Why: whyManager, Quiet: "${canal.admin.manager}"},
	{Name: "canal.instance.<destination>.spring.xml", Effect: "canal.instance.global.spring.xml for one destination"},
}

var instanceKeys = instanceScope([]Key{
	{Name: "canal.instance.destination", Effect: "name of the destination; set by the server, for use in ${…}"},
	{Name: "canal.file.data.dir", Default: "../conf", Effect: "meta.dat is kept in <this>/<destination>"},
	{Name: "canal.file.flush.period", Default: "1000", Effect: "milliseconds between writes of meta.dat"},
	{Name: "canal.zookeeper.flush.period", Default: "1000", Effect: "milliseconds between cursor writes to ZooKeeper, with default-instance.xml"},
	{Name: "towpath.instance.preferred", Effect: "servers that shall run the destination when they can, ip:port, comma separated, most wanted first. Towpath's own key"},
	{Name: "canal.auto.reset.latest.pos.mode", Default: "false", Effect: "after repeated failures at a position the source no longer has, go on at its current end; changes in between are lost"},

	{Name: "canal.instance.memory.buffer.size", Default: "16384", Effect: "slots of the store, a power of two"},
	{Name: "canal.instance.memory.buffer.memunit", Default: "1024", Effect: "bytes a slot counts for; slots × memunit bounds the store"},
	{Name: "canal.instance.memory.batch.mode", Default: "MEMSIZE", Effect: "what a client's batch size counts: MEMSIZE (memunits) or ITEMSIZE (entries)"},
	{Name: "canal.instance.memory.rawEntry", Default: "true", Status: NoEffect, Effect: "keep entries encoded", Why: whyRaw, Quiet: "true"},
	{Name: "canal.instance.get.ddl.isolation", Default: "false", Effect: "hand out each DDL in a batch of its own"},
	{Name: "towpath.instance.get.linger", Effect: "how many milliseconds a get with a timeout still waits for a full batch once there is something to send, 0 to 60000: with 0 or 1 clients of all kinds see changes within a few milliseconds whatever size of batch they ask for, in more and smaller batches. Blank: until its timeout, as in Canal. Towpath's own key"},

	{Name: "canal.instance.detecting.enable", Default: "false", Effect: "run canal.instance.detecting.sql on the source regularly, on a connection of its own"},
	{Name: "canal.instance.detecting.sql", Effect: "that statement; blank means that nothing is sent and nothing detected"},
	{Name: "canal.instance.detecting.interval.time", Default: "5", Effect: "seconds between two such statements"},
	{Name: "canal.instance.detecting.retry.threshold", Default: "3", Effect: "switch when more of them in a row than this failed"},
	{Name: "canal.instance.detecting.heartbeatHaEnable", Default: "false", Effect: "switch between canal.instance.master.address and canal.instance.standby.address when they fail; without it a failure is only logged"},

	{Name: "canal.instance.transaction.size", Default: "1024", Effect: "entries after which a large transaction is handed on in parts"},
	{Name: "canal.instance.fallbackIntervalInSeconds", Default: "60", Effect: "how far to go back in time after a switch to another server"},
	{Name: "canal.instance.network.receiveBufferSize", Default: "16384", Status: NoEffect, Effect: "receive buffer towards the source, bytes", Why: whyBuffers, Quiet: "16384"},
	{Name: "canal.instance.network.sendBufferSize", Default: "16384", Status: NoEffect, Effect: "send buffer towards the source, bytes", Why: whyBuffers, Quiet: "16384"},
	{Name: "canal.instance.network.soTimeout", Default: "30", Status: NoEffect, Effect: "seconds without an answer after which the source counts as gone", Why: whyTimeout, Quiet: "30"},

	{Name: "canal.instance.filter.regex", Default: `.*\..*`, Effect: "tables to deliver: regular expressions on schema.table, comma separated"},
	{Name: "canal.instance.filter.black.regex", Effect: "tables to leave out, same form"},
	{Name: "canal.instance.filter.field", Effect: "columns to deliver: schema.table:a/b, comma separated"},
	{Name: "canal.instance.filter.black.field", Effect: "columns to leave out, same form; not looked at for a table that has a list in canal.instance.filter.field"},
	{Name: "canal.instance.filter.druid.ddl", Default: "true", Effect: "read DDL with a grammar (true) or by patterns (false) to find its tables"},
	{Name: "canal.instance.filter.query.dcl", Default: "false", Effect: "leave out statements that are neither DDL nor DML"},
	{Name: "canal.instance.filter.query.dml", Default: "false", Effect: "leave out DML statements"},
	{Name: "canal.instance.filter.query.ddl", Default: "false", Effect: "leave out DDL statements"},
	{Name: "canal.instance.filter.table.error", Default: "false", Effect: "skip rows of tables whose definition cannot be read"},
	{Name: "canal.instance.filter.rows", Default: "false", Effect: "leave out row changes"},
	{Name: "canal.instance.filter.transaction.entry", Default: "false", Effect: "leave out most transaction begin and end entries"},
	{Name: "canal.instance.filter.dml.insert", Default: "false", Effect: "leave out inserted rows"},
	{Name: "canal.instance.filter.dml.update", Default: "false", Effect: "leave out updated rows"},
	{Name: "canal.instance.filter.dml.delete", Default: "false", Effect: "leave out deleted rows"},

	{Name: "canal.instance.binlog.format", Effect: "binlog formats to accept, comma separated: ROW, STATEMENT, MIXED; blank accepts all"},
	{Name: "canal.instance.binlog.image", Effect: "row images to accept, comma separated: FULL, MINIMAL, NOBLOB; blank accepts all"},
	{Name: "canal.instance.parser.parallel", Default: "true", Effect: "decode with several workers"},
	{Name: "canal.instance.parser.parallelThreadSize", Effect: "number of workers; blank means 60 % of the processors, at least 1. Not looked at when canal.instance.parser.parallel is false"},
	{Name: "canal.instance.parser.parallelBufferSize", Default: "256", Status: NoEffect, Effect: "events in work at a time", Why: whyPieces, Quiet: "256"},
	{Name: "canal.instance.multi.stream.on", Default: "false", Status: NotYet, Effect: "read a PolarDB-X stream named like the destination", Why: whyStream},

	{Name: "canal.instance.mysql.slaveId", Default: "0", Effect: "server id to register with; 0 or less: one is made from the destination and the host address"},
	{Name: "canal.instance.gtidon", Default: "false", Effect: "read by GTID set instead of file and offset"},
	{Name: "canal.instance.dbUsername", Default: "retl", Effect: "user on the source"},
	{Name: "canal.instance.dbPassword", Default: "retl", Secret: true, Effect: "password on the source"},
	{Name: "canal.instance.defaultDatabaseName", Effect: "schema to connect to"},
	{Name: "canal.instance.connectionCharset", Default: "UTF-8", Effect: "Java name of the character set of text columns"},
	{Name: "canal.instance.enableDruid", Default: "false", Effect: "canal.instance.dbPassword is encrypted with Druid's ConfigTools"},
	{Name: "canal.instance.pwdPublicKey", Default: "retl", Effect: "public key for that, base64"},

	{Name: "canal.instance.rds.accesskey", Status: NotYet, Effect: "Aliyun access key", Why: whyRDS},
	{Name: "canal.instance.rds.secretkey", Status: NotYet, Secret: true, Effect: "Aliyun secret key", Why: whyRDS},
	{Name: "canal.instance.rds.instanceId", Status: NotYet, Effect: "RDS instance whose backups to read", Why: whyRDS},
	{Name: "canal.aliyun.accesskey", Status: NotYet, Effect: "Aliyun access key, as the Spring files spell it", Why: whyRDS},
	{Name: "canal.aliyun.secretkey", Status: NotYet, Secret: true, Effect: "Aliyun secret key, as the Spring files spell it", Why: whyRDS},
})

// instanceScope marks keys as instance keys.
func instanceScope(keys []Key) []Key {
	for i := range keys {
		keys[i].Scope = ScopeInstance
	}
	return keys
}

// endpointKeys are the keys of one server an instance reads from.
func endpointKeys(role, word string) []Key {
	prefix := "canal.instance." + role
	return []Key{
		{Name: prefix + ".address", Effect: "host:port of the " + word},
		{Name: prefix + ".journal.name", Effect: "binlog file to start at on the " + word + " when no cursor is stored"},
		{Name: prefix + ".position", Effect: "offset in that file"},
		{Name: prefix + ".timestamp", Effect: "time to start at instead of an offset, milliseconds since 1970"},
		{Name: prefix + ".gtid", Effect: "GTID set to start after, with canal.instance.gtidon"},
	}
}

func sourceKeys() []Key {
	var keys []Key
	for _, role := range []string{"master", "standby"} {
		prefix := "canal.instance." + role
		keys = append(keys, endpointKeys(role, role)...)
		keys = append(keys,
			Key{Name: prefix + ".sslMode", Default: "DISABLED", Effect: "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"},
			Key{Name: prefix + ".tlsVersions", Effect: "TLS versions to allow, comma separated, such as TLSv1.2,TLSv1.3"},
		)
		for _, store := range [][2]string{{"trust", "certificates to trust"}, {"client", "certificate to present"}} {
			name := prefix + "." + store[0] + "CertificateKeyStore"
			keys = append(keys,
				Key{Name: name + "Type", Effect: "kind of the file: JKS, PKCS12 or PEM; blank means by content"},
				Key{Name: name + "Url", Effect: "file with the " + store[1]},
				Key{Name: name + "Password", Secret: true, Effect: "password of that file"},
			)
		}
	}
	return instanceScope(keys)
}

var historyKeys = instanceScope([]Key{
	{Name: "canal.instance.tsdb.enable", Default: "true", Effect: "keep the history of table definitions, by which changes are read with the definitions of their time (memory-instance.xml: false by default; group-instance.xml: never)"},
	{Name: "canal.instance.tsdb.dir", Effect: "folder of the history, for use in canal.instance.tsdb.url"},
	{Name: "canal.instance.tsdb.url", Effect: "where the history is: jdbc:h2:<path> makes a file of SQLite, <path>.towpath.db, in the place of H2's <path>.mv.db, which is not read; with canal.zkServers the history is in ZooKeeper instead, where the next server finds it. jdbc:mysql://… is a database with Canal's tables, in a cluster too. Blank: h2 in the folder of the destination"},
	{Name: "canal.instance.tsdb.dbUsername", Effect: "user of the database in MySQL"},
	{Name: "canal.instance.tsdb.dbPassword", Secret: true, Effect: "password for that"},
	{Name: "canal.instance.tsdb.snapshot.interval", Default: "24", Effect: "hours between snapshots of all definitions; 0 or less means none but the first"},
	{Name: "canal.instance.tsdb.snapshot.expire", Default: "360", Effect: "hours to keep snapshots; the first and the newest are always kept"},
	{Name: "canal.instance.tsdb.spring.xml", Effect: "kind of the history: classpath:spring/tsdb/h2-tsdb.xml or classpath:spring/tsdb/mysql-tsdb.xml, which wants a canal.instance.tsdb.url of MySQL; blank means that there is none"},
	{Name: historyLimitKey, Default: "16", Effect: "MiB that the history of the destination may take in ZooKeeper. Towpath's own key"},
})

// groupKeys are those of the servers of a group. Canal has two; the others are
// Towpath's own.
func groupKeys() []Key {
	var keys []Key
	for _, role := range []string{"master1", "standby1", "master2", "standby2"} {
		keys = append(keys, endpointKeys(role, role+" of a group (group-instance.xml)")...)
	}
	for _, role := range []string{"master<n>", "standby<n>"} {
		keys = append(keys, endpointKeys(role, role+" of a group, up to 16. Towpath's own keys for numbers from 3 on")...)
	}
	return instanceScope(keys)
}

// localKeys say which files are read in the place of a server's binlog, in the
// words of Canal's LocalBinlogEventParser, for which Canal has no keys.
var localKeys = instanceScope([]Key{
	{Name: "towpath.instance.table.mismatch", Default: "hold", Effect: "what to do with rows of a table of which the names of the columns are not certain: hold (they are not delivered; the other tables go on; log, towpath check, metrics and admin tell from where on), mark (they are delivered with columns called @1, @2, …) or stop (nothing is delivered until a person acts, as in Canal). canal.instance.filter.table.error = true skips them. Towpath's own key"},
	{Name: "towpath.instance.localBinlog.dir", Effect: "folder with binlog files to read in the place of a server's log. canal.instance.master.address is then the server that is asked for definitions of tables, and may be blank; its .journal.name, .position and .timestamp say where to start in the files. Towpath's own key"},
	{Name: "towpath.instance.localBinlog.name", Effect: "name of the files without their number, such as mysql-bin; blank means the only series of binlog files in the folder. Towpath's own key"},
	{Name: "towpath.instance.localBinlog.wait", Default: "true", Effect: "wait for more at the end of the newest file; false: read what there is, stay there, and serve clients (needWait in Canal). Towpath's own key"},
	{Name: "towpath.instance.localBinlog.serverId", Default: "0", Effect: "server id that must have written the files; 0 for any. Towpath's own key"},
})

var queueInstanceKeys = instanceScope([]Key{
	{Name: "canal.mq.topic", Status: NotYet, Effect: "topic of the destination", Why: whyQueue},
	{Name: "canal.mq.dynamicTopic", Status: NotYet, Effect: "topics by schema or table", Why: whyQueue},
	{Name: "canal.mq.partition", Status: NotYet, Effect: "partition when none is computed", Why: whyQueue},
	{Name: "canal.mq.partitionsNum", Status: NotYet, Effect: "number of partitions", Why: whyQueue},
	{Name: "canal.mq.partitionHash", Status: NotYet, Effect: "columns that choose the partition", Why: whyQueue},
	{Name: "canal.mq.dynamicTopicPartitionNum", Status: NotYet, Effect: "number of partitions by topic", Why: whyQueue},
	{Name: "canal.mq.enableDynamicQueuePartition", Status: NotYet, Effect: "RocketMQ: take the number of queues of the topic", Why: whyQueue},
})

// queueScope marks keys as read by message queue producers.
func queueScope(status Status, why string, keys []Key) []Key {
	for i := range keys {
		keys[i].Scope, keys[i].Status, keys[i].Why = ScopeQueue, status, why
	}
	return keys
}

var queueKeys = slices.Concat(queueScope(NotYet, whyQueue, []Key{
	{Name: "canal.mq.flatMessage", Default: "true", Effect: "JSON (true) or protobuf messages"},
	{Name: "canal.mq.canalBatchSize", Default: "50", Effect: "batch size of the producer"},
	{Name: "canal.mq.canalGetTimeout", Default: "100", Effect: "milliseconds the producer waits for a batch"},
	{Name: "canal.mq.accessChannel", Default: "local", Effect: "cloud: RocketMQ's Aliyun channel"},
	{Name: "canal.mq.database.hash", Default: "true", Effect: "mix the schema name into partition hashes"},
	{Name: "canal.mq.build.thread.size", Default: "8", Effect: "workers that build messages"},
	{Name: "canal.mq.send.thread.size", Default: "30", Effect: "workers that send messages"},

	{Name: "kafka.bootstrap.servers", Effect: "Kafka brokers"},
	{Name: "kafka.acks", Effect: "acknowledgements to wait for"},
	{Name: "kafka.compression.type", Effect: "none, gzip, snappy, lz4 or zstd"},
	{Name: "kafka.batch.size", Effect: "bytes of a producer batch"},
	{Name: "kafka.linger.ms", Effect: "milliseconds to wait for a fuller batch"},
	{Name: "kafka.max.request.size", Effect: "bytes of the largest request"},
	{Name: "kafka.buffer.memory", Effect: "bytes the producer may buffer"},
	{Name: "kafka.max.in.flight.requests.per.connection", Effect: "requests under way; Canal always uses 1"},
	{Name: "kafka.retries", Effect: "retries of a send"},
	{Name: "kafka.kerberos.enable", Default: "false", Effect: "Kerberos authentication"},
	{Name: "kafka.kerberos.krb5.file", Effect: "Kerberos configuration"},
	{Name: "kafka.kerberos.jaas.file", Effect: "JAAS configuration"},
	{Name: "kafka.sasl.jaas.config", Secret: true, Effect: "SASL log-in"},
	{Name: "kafka.<option>", Effect: "any other option of the Kafka producer"},

	{Name: "rocketmq.producer.group", Effect: "producer group"},
	{Name: "rocketmq.enable.message.trace", Default: "false", Effect: "message trace"},
	{Name: "rocketmq.customized.trace.topic", Effect: "topic of the trace"},
	{Name: "rocketmq.namespace", Effect: "namespace"},
	{Name: "rocketmq.namesrv.addr", Effect: "name servers"},
	{Name: "rocketmq.retry.times.when.send.failed", Default: "0", Effect: "retries of a send"},
	{Name: "rocketmq.vip.channel.enabled", Default: "false", Effect: "VIP channel"},
	{Name: "rocketmq.tag", Effect: "tag of the messages"},

	{Name: "rabbitmq.host", Effect: "host, host:port or amqp URI"},
	{Name: "rabbitmq.virtual.host", Effect: "virtual host"},
	{Name: "rabbitmq.exchange", Effect: "exchange to publish to"},
	{Name: "rabbitmq.username", Effect: "user"},
	{Name: "rabbitmq.password", Secret: true, Effect: "password"},
	{Name: "rabbitmq.queue", Effect: "queue to declare"},
	{Name: "rabbitmq.routingKey", Effect: "routing key of the binding"},
	{Name: "rabbitmq.deliveryMode", Effect: "kind of the exchange: direct, topic, fanout, headers"},

	{Name: "pulsarmq.serverUrl", Effect: "Pulsar service URL"},
	{Name: "pulsarmq.roleToken", Secret: true, Effect: "token"},
	{Name: "pulsarmq.topicTenantPrefix", Effect: "tenant and namespace put before the topic"},
	{Name: "pulsarmq.adminServerUrl", Effect: "admin URL, to create partitioned topics"},
	{Name: "pulsarmq.listenerName", Effect: "advertised listener"},
	{Name: "pulsarmq.enableChunking", Default: "false", Effect: "cut large messages"},
	{Name: "pulsarmq.compressionType", Effect: "lz4, zlib, zstd or snappy"},

	{Name: "canal.mq.servers", Effect: "old name of kafka.bootstrap.servers, rocketmq.namesrv.addr and rabbitmq.host"},
	{Name: "canal.mq.retries", Effect: "old name of kafka.retries and rocketmq.retry.times.when.send.failed"},
	{Name: "canal.mq.acks", Effect: "old name of kafka.acks"},
	{Name: "canal.mq.compressionType", Effect: "old name of kafka.compression.type"},
	{Name: "canal.mq.batchSize", Effect: "old name of kafka.batch.size"},
	{Name: "canal.mq.lingerMs", Effect: "old name of kafka.linger.ms"},
	{Name: "canal.mq.maxRequestSize", Effect: "old name of kafka.max.request.size"},
	{Name: "canal.mq.bufferMemory", Effect: "old name of kafka.buffer.memory"},
	{Name: "canal.mq.kafka.kerberos.enable", Effect: "old name of kafka.kerberos.enable"},
	{Name: "canal.mq.kafka.kerberos.krb5.file", Effect: "old name of kafka.kerberos.krb5.file"},
	{Name: "canal.mq.kafka.kerberos.jaas.file", Effect: "old name of kafka.kerberos.jaas.file"},
	{Name: "canal.mq.producerGroup", Effect: "old name of rocketmq.producer.group"},
	{Name: "canal.mq.namespace", Effect: "old name of rocketmq.namespace"},
}), queueScope(NoEffect, whyConsumer, []Key{
	{Name: "rocketmq.access.channel", Effect: "consumer: access channel"},
	{Name: "rocketmq.batch.size", Effect: "consumer: batch size"},
	{Name: "rocketmq.subscribe.filter", Effect: "consumer: filter"},
	{Name: "rabbitmq.rabbitmq.resource.ownerId", Effect: "consumer: Aliyun owner id"},
	{Name: "pulsarmq.subscriptName", Effect: "consumer: subscription"},
	{Name: "pulsarmq.getBatchTimeoutSeconds", Effect: "consumer: seconds to wait for a batch"},
	{Name: "pulsarmq.batchProcessTimeout", Effect: "consumer: milliseconds to work on a batch"},
	{Name: "pulsarmq.redeliveryDelaySeconds", Effect: "consumer: seconds before redelivery"},
	{Name: "pulsarmq.ackTimeoutSeconds", Effect: "consumer: seconds to acknowledge"},
	{Name: "pulsarmq.isRetry", Effect: "consumer: use a retry topic"},
	{Name: "pulsarmq.isRetryDLQUpperCase", Effect: "consumer: spelling of the retry topic"},
	{Name: "pulsarmq.maxRedeliveryCount", Effect: "consumer: redeliveries at most"},
	{Name: "canal.tcp.server.host", Effect: "consumer: server to read from"},
	{Name: "canal.tcp.zookeeper.hosts", Effect: "consumer: ZooKeeper to find servers by"},
	{Name: "canal.tcp.username", Effect: "consumer: user"},
	{Name: "canal.tcp.password", Secret: true, Effect: "consumer: password"},
	{Name: "canal.tcp.batch.size", Effect: "consumer: batch size"},
}))

func removedKeys() []Key {
	var keys []Key
	for _, name := range []string{
		"canal.mq.transaction", "canal.mq.properties.<option>", "canal.mq.vhost", "canal.mq.exchange",
		"canal.mq.username", "canal.mq.aliyunuid", "canal.mq.parallelThreadSize", "canal.mq.enableMessageTrace",
		"canal.mq.customizedTraceTopic", "canal.mq.kafka.kerberos.krb5FilePath", "canal.mq.kafka.kerberos.jaasFilePath",
	} {
		keys = append(keys, Key{Name: name, Scope: ScopeQueue, Status: Removed, Effect: "nothing", Why: whyRemoved})
	}
	return append(keys, Key{Name: "canal.mq.password", Scope: ScopeQueue, Status: Removed, Secret: true, Effect: "nothing", Why: whyRemoved})
}
