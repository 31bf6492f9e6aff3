-- Transactions, statements and DDL in the order of an ordinary day. Tables are
-- left as the rows had them, because Canal without its table history reads
-- their definitions from the live server.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS `{db}-odd`;
USE {db};
SET SESSION sql_mode = '';
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(50), c TEXT, KEY ka (a)) ENGINE=InnoDB;
CREATE TABLE m (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=MyISAM;
CREATE TABLE nokey (a INT, b INT);
CREATE TABLE two (a INT, b INT, c INT, PRIMARY KEY (b, a), UNIQUE KEY u (c));

BEGIN;
INSERT INTO t (a, b) VALUES (1, 'one'), (2, 'two'), (3, NULL);
UPDATE t SET b = 'zwei', c = 'c' WHERE a = 2;
SAVEPOINT s1;
DELETE FROM t WHERE a = 3;
ROLLBACK TO s1;
UPDATE t SET c = '' WHERE a = 1;
COMMIT;
BEGIN;
ROLLBACK;
UPDATE t SET b = b;
INSERT INTO m VALUES (1, 'myisam'), (2, 'x');
UPDATE m SET v = 'y' WHERE id = 2;
DELETE FROM m;
INSERT INTO nokey VALUES (1, 2), (1, 2), (NULL, NULL);
UPDATE nokey SET b = 3 WHERE a = 1;
DELETE FROM nokey WHERE a IS NULL;
INSERT INTO two VALUES (1, 2, 3), (4, 5, 6);
UPDATE two SET a = 7 WHERE b = 2;
REPLACE INTO two VALUES (7, 2, 8), (9, 9, 6);
INSERT INTO two VALUES (7, 2, 0) ON DUPLICATE KEY UPDATE c = 10;

SET SESSION binlog_row_image = 'MINIMAL';
INSERT INTO t (a) VALUES (10);
UPDATE t SET b = 'min' WHERE a = 10;
DELETE FROM t WHERE a = 10;
SET SESSION binlog_row_image = 'NOBLOB';
INSERT INTO t (a, c) VALUES (11, 'blob');
UPDATE t SET b = 'nob' WHERE a = 11;
UPDATE t SET c = 'changed' WHERE a = 11;
DELETE FROM t WHERE a = 11;
SET SESSION binlog_row_image = 'FULL';

/* a comment */ INSERT INTO t (a, b) VALUES (20, 'commented');
INSERT INTO t (a, b) VALUES (21, 'multi
line and ''quotes''');
CREATE TABLE bulk (id INT PRIMARY KEY, pad VARCHAR(200));
INSERT INTO bulk SELECT a.n*100 + b.n*10 + c.n, REPEAT(CHAR(97 + c.n), 150) FROM (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) a, (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) b, (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) c;
UPDATE bulk SET pad = UPPER(pad) WHERE id % 3 = 0;
DELETE FROM bulk WHERE id > 300;
TRUNCATE TABLE bulk;

SET SESSION binlog_format = 'STATEMENT';
INSERT INTO t (a, b) VALUES (30, 'stmt');
SET @v = 'it''s', @n = NULL, @i = 42, @d = 1.5, @f = 1e10;
INSERT INTO t (a, b) VALUES (@i, @v), (31, @n), (@d, @f);
UPDATE t SET a = a + 1 WHERE a = 31;
DELETE FROM t WHERE a = 32;
INSERT INTO t (a) VALUES (FLOOR(RAND() * 100));
SET SESSION binlog_format = 'ROW';

CREATE INDEX kb ON t (b);
DROP INDEX kb ON t;
ALTER TABLE t ADD INDEX kb (b);
ALTER TABLE t DROP INDEX kb;
ALTER TABLE t COMMENT = 'x';
CREATE TABLE l LIKE t;
-- on: mariadb
CREATE TABLE cs AS SELECT id, a FROM t;
-- on: all
CREATE TABLE l2 LIKE t;
DROP TABLE l, l2;
CREATE TABLE ren (id INT PRIMARY KEY);
RENAME TABLE ren TO ren2;
ALTER TABLE ren2 RENAME TO ren3;
DROP TABLE ren3;
DROP TABLE IF EXISTS never_was;
CREATE TEMPORARY TABLE tmp (a INT);
DROP TEMPORARY TABLE tmp;
CREATE VIEW vw AS SELECT 1;
DROP VIEW vw;
CREATE PROCEDURE pr() SELECT 1;
DROP PROCEDURE pr;
CREATE TRIGGER tr BEFORE INSERT ON m FOR EACH ROW SET NEW.v = 'trig';
INSERT INTO m VALUES (5, 'x');
DROP TRIGGER tr;
CREATE USER u1@localhost IDENTIFIED BY 'Passw0rd!';
GRANT SELECT ON {db}.* TO u1@localhost;
DROP USER u1@localhost;
ALTER DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
ANALYZE TABLE t;
USE `{db}-odd`;
CREATE TABLE {db}.other (`key` INT PRIMARY KEY, `sp ace` INT, `q``q` INT);
ALTER TABLE {db}.other ADD INDEX (`sp ace`);
CREATE TABLE `select` (`from` INT, `日本` VARCHAR(10), PRIMARY KEY (`from`));
INSERT INTO `select` VALUES (1, '語');
CREATE DATABASE {db}_x;
DROP DATABASE {db}_x;
USE {db};

XA START 'x1';
INSERT INTO t (a, b) VALUES (40, 'xa');
XA END 'x1';
XA PREPARE 'x1';
XA COMMIT 'x1';
XA START 'x2', 'branch';
INSERT INTO t (a, b) VALUES (41, 'xa2');
XA END 'x2', 'branch';
XA COMMIT 'x2', 'branch' ONE PHASE;
FLUSH LOGS;
INSERT INTO t (a, b) VALUES (50, 'next file');
CREATE TABLE part (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO part VALUES (1, 1), (11, 11);
UPDATE part SET id = 12 WHERE id = 1;
ALTER TABLE part TRUNCATE PARTITION p1;
CREATE TABLE upper_Case (Id INT PRIMARY KEY, `MiXed` INT);
INSERT INTO upper_Case VALUES (1, 2);
-- on: mysql57 mysql80 mysql97 mariadb
CREATE TABLE gen (a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a + 1) VIRTUAL, c INT GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO gen (a) VALUES (1), (2);
UPDATE gen SET a = 5 WHERE a = 2;
-- on: all
