package differential

import (
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/test/servers"
)

// bigStatements make events of unusual size.
func bigStatements(schema string, k servers.Kind) []statement {
	columns := make([]string, 300)
	for i := range columns {
		columns[i] = fmt.Sprintf("c%d %s", i, []string{"INT", "VARCHAR(20)", "DECIMAL(10,2)", "DATETIME", "TINYINT UNSIGNED"}[i%5])
	}
	labels := make([]string, 1500)
	for i := range labels {
		labels[i] = fmt.Sprintf("'%036d'", i)
	}
	set := make([]string, 64)
	for i := range set {
		set[i] = fmt.Sprintf("'%0200d'", i)
	}
	all := []string{
		"CREATE DATABASE " + schema + " DEFAULT CHARACTER SET utf8mb4", "USE " + schema,
		"CREATE TABLE many (id INT PRIMARY KEY, v VARCHAR(20))",
		"CREATE PROCEDURE fill() BEGIN DECLARE i INT DEFAULT 0; START TRANSACTION; WHILE i < 5000 DO INSERT INTO many VALUES (i, 'row'); SET i = i + 1; END WHILE; COMMIT; END",
		"CALL fill()",
		"UPDATE many SET v = CONCAT(v, id)",
		"CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB, t LONGTEXT)",
		"INSERT INTO large VALUES (1, REPEAT('\\0', 1 << 20), REPEAT('é', 1 << 19))",
		"INSERT INTO large VALUES (2, REPEAT('x', 17 << 20), NULL)",
		"UPDATE large SET t = 'small' WHERE id = 1",
		"DELETE FROM large WHERE id = 2",
		"CREATE TABLE wide (" + strings.Join(columns, ", ") + ")",
		"INSERT INTO wide (c0, c1, c299) VALUES (1, 'x', 255), (2, NULL, 0)",
		"UPDATE wide SET c5 = 1, c7 = 1.5",
		"CREATE TABLE labels (id INT PRIMARY KEY, e ENUM(" + strings.Join(labels, ",") + "), s SET(" + strings.Join(set, ",") + "))",
		fmt.Sprintf("INSERT INTO labels VALUES (1, %s, %s), (2, 1, 1), (3, NULL, NULL)", labels[1499], set[63]),
		"INSERT INTO labels VALUES (4, 700, 5) /* " + strings.Repeat("long comment ", 20000) + "*/",
	}
	if k != servers.MySQL80 && k != servers.MySQL97 { // definition files hold less
		for i, q := range all {
			all[i] = strings.Replace(q, strings.Join(labels, ","), strings.Join(labels[:500], ",")+","+labels[1499], 1)
		}
		all[len(all)-1] = strings.Replace(all[len(all)-1], "700", "70", 1)
	}
	out := make([]statement, len(all))
	for i, q := range all {
		out[i] = statement{sql: q}
	}
	return out
}
