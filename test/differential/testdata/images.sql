-- Changes of all kinds, for settings of the server that change what events look
-- like.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
CREATE TABLE a (id INT UNSIGNED PRIMARY KEY, n INT, s VARCHAR(30), e ENUM('x','y'), b BLOB, t TEXT, u BIGINT UNSIGNED, f SET('p','q'));
INSERT INTO a VALUES (1, 1, 'one', 'x', 'blob', 'text', 18446744073709551615, 'p'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO a (id, s) VALUES (3, 'three'), (4294967295, 'max');
UPDATE a SET s = 'uno' WHERE id = 1;
UPDATE a SET b = 'changed', t = NULL WHERE id = 1;
UPDATE a SET id = 10, n = 5 WHERE id = 2;
UPDATE a SET n = 7;
DELETE FROM a WHERE id = 3;
CREATE TABLE nokey (x INT, y TEXT);
INSERT INTO nokey VALUES (1, 'a'), (1, 'a'), (NULL, NULL);
UPDATE nokey SET x = 2 WHERE y = 'a' LIMIT 1;
DELETE FROM nokey WHERE x IS NULL;
CREATE TABLE uniq (x INT NOT NULL, y VARCHAR(20), z INT, UNIQUE KEY (x));
INSERT INTO uniq VALUES (1, 'a', 1), (2, 'b', 2);
UPDATE uniq SET y = 'c' WHERE z = 2;
DELETE FROM uniq WHERE x = 1;
CREATE TABLE multi (a INT, b INT, c VARCHAR(10), d DATETIME(3), PRIMARY KEY (b, a));
INSERT INTO multi VALUES (1, 2, 'c', '2024-01-02 03:04:05.678');
UPDATE multi SET c = 'd' WHERE a = 1;
UPDATE multi SET b = 3;
BEGIN;
INSERT INTO a (id, n) VALUES (20, 20);
UPDATE multi SET d = NULL;
DELETE FROM uniq;
INSERT INTO a (id, n) VALUES (21, 21);
COMMIT;
-- on: mariadb
CREATE TABLE wide AS SELECT 1 AS one, 'zwei' AS two;
INSERT INTO wide VALUES (2, 'deux');
-- on: all
CREATE TABLE long_rows (id INT PRIMARY KEY, t LONGTEXT, v VARCHAR(2000));
INSERT INTO long_rows VALUES (1, REPEAT('abc', 20000), REPEAT('v', 2000)), (2, REPEAT('é', 9000), 'x'), (3, '', '');
UPDATE long_rows SET t = CONCAT(t, 'end') WHERE id < 3;
-- on: mysql57 mysql80 mysql97
CREATE TABLE docs (id INT PRIMARY KEY, j JSON, k JSON, n INT);
INSERT INTO docs VALUES (1, JSON_OBJECT('a', 1, 'b', REPEAT('x', 100), 'c', JSON_ARRAY(1, 2, 3)), JSON_OBJECT('z', JSON_OBJECT('y', 'padpadpad')), 1), (2, NULL, '[]', 2);
UPDATE docs SET j = JSON_SET(j, '$.a', 2) WHERE id = 1;
UPDATE docs SET j = JSON_REPLACE(j, '$.b', 'short') WHERE id = 1;
UPDATE docs SET j = JSON_REMOVE(j, '$.c[0]') WHERE id = 1;
UPDATE docs SET j = JSON_SET(j, '$.a', 3, '$.b', 'x"y''z'), k = JSON_SET(k, '$.z.y', 'new') WHERE id = 1;
UPDATE docs SET j = JSON_SET(j, '$.a', JSON_OBJECT('deep', NULL)), n = 9 WHERE id = 1;
UPDATE docs SET j = JSON_REPLACE(j, '$.a', 1), j = JSON_REMOVE(j, '$.b') WHERE id = 1;
UPDATE docs SET j = '{"whole": true}' WHERE id = 1;
UPDATE docs SET n = n + 1;
DELETE FROM docs WHERE id = 2;
-- on: all
ALTER TABLE a COMMENT 'after';
TRUNCATE TABLE nokey;
