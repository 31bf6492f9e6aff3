-- What is recorded in internal/binlog/testdata: the forms that events take, each
-- once. See TestForms.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
SET SESSION sql_mode = '';
SET time_zone = '+00:00';
CREATE TABLE types (id INT PRIMARY KEY, a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d BIGINT UNSIGNED, e DECIMAL(12,4), f FLOAT, g DOUBLE, h BIT(10), i YEAR, j DATE, k TIME(3), l DATETIME(6), m TIMESTAMP(1) NULL, n ENUM('x','y'), o SET('p','q'), p CHAR(5), q VARCHAR(300), r TEXT, s BINARY(4), t VARBINARY(9), u BLOB, v POINT);
INSERT INTO types VALUES (1, -128, 65535, -8388608, 18446744073709551615, -1234.5, 1e10, 2e23, 1023, 2155, '2024-00-00', '-838:59:58.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.9', 'y', 'p,q', '中', REPEAT('v', 260), 'text', 0x01000000, 0x00FF, 0x80C3A9, POINT(1, -2.5));
INSERT INTO types (id) VALUES (2);
UPDATE types SET a = 1, r = NULL WHERE id = 1;
SET SESSION binlog_row_image = 'MINIMAL';
UPDATE types SET q = 'minimal', e = 0 WHERE id = 1;
DELETE FROM types WHERE id = 2;
INSERT INTO types (id, o) VALUES (3, 'q');
SET SESSION binlog_row_image = 'NOBLOB';
UPDATE types SET a = 2 WHERE id = 1;
UPDATE types SET u = 'changed' WHERE id = 1;
DELETE FROM types WHERE id = 3;
SET SESSION binlog_row_image = 'FULL';
CREATE TABLE west (id INT PRIMARY KEY, c_latin1 VARCHAR(9) CHARACTER SET latin1, c_latin2 CHAR(9) CHARACTER SET latin2, c_cp1251 TEXT CHARACTER SET cp1251, c_koi8r VARCHAR(9) CHARACTER SET koi8r, c_greek VARCHAR(9) CHARACTER SET greek, c_tis620 VARCHAR(9) CHARACTER SET tis620, c_utf8 VARCHAR(9) CHARACTER SET utf8, c_ascii VARCHAR(9) CHARACTER SET ascii);
INSERT INTO west VALUES (1, 'é€', 'žő', 'привет', 'привет', 'αβ', 'ไทย', 'é中', 'ascii');
CREATE TABLE east (id INT PRIMARY KEY, c_gbk VARCHAR(9) CHARACTER SET gbk, c_gb2312 VARCHAR(9) CHARACTER SET gb2312, c_big5 VARCHAR(9) CHARACTER SET big5, c_sjis VARCHAR(9) CHARACTER SET sjis, c_ujis TINYTEXT CHARACTER SET ujis, c_euckr VARCHAR(9) CHARACTER SET euckr, c_ucs2 VARCHAR(9) CHARACTER SET ucs2, c_utf16 CHAR(9) CHARACTER SET utf16, c_utf32 VARCHAR(9) CHARACTER SET utf32, e ENUM('中','文') CHARACTER SET gbk);
INSERT INTO east VALUES (1, '中文變', '中文', '中文', 'カナ', '日本語', '한국', 'é中', '😀é', '😀', '文');
-- on: mysql57 mysql80 mysql97
CREATE TABLE gb (id INT PRIMARY KEY, c_gb18030 VARCHAR(9) CHARACTER SET gb18030, j JSON);
INSERT INTO gb VALUES (1, '中😀', JSON_OBJECT('é', JSON_ARRAY(1, -2.5, NULL, TRUE, '中', CAST('2024-01-02' AS DATE))));
-- on: all
CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60)) ENGINE=InnoDB;
BEGIN;
INSERT INTO t (v) VALUES ('a'), ('b');
SAVEPOINT s;
DELETE FROM t WHERE v = 'a';
ROLLBACK TO s;
UPDATE t SET v = 'c' WHERE v = 'a';
COMMIT;
CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;
INSERT INTO m VALUES (1);
SET SESSION binlog_format = 'STATEMENT';
INSERT INTO t (v) VALUES ('auto');
SET @s = 'it''s é', @i = -5, @u = 18446744073709551615, @d = 1.5e0, @n = 12.345, @z = NULL;
INSERT INTO t (v) VALUES (@s), (@i), (@u), (@d), (@n), (@z);
INSERT INTO t (v) VALUES (FLOOR(RAND(7) * 0 + RAND() * 0));
INSERT INTO t (v) VALUES (LAST_INSERT_ID());
UPDATE t SET v = 'statement' WHERE id = 1;
SET NAMES gbk;
-- bytes: gbk
INSERT INTO t (v) VALUES ('中文');
-- bytes: utf-8
SET NAMES utf8mb4;
SET SESSION binlog_format = 'ROW';
XA START 'x', 'b', 3;
INSERT INTO t (v) VALUES ('xa');
XA END 'x', 'b', 3;
XA PREPARE 'x', 'b', 3;
XA COMMIT 'x', 'b', 3;
XA START 'one';
INSERT INTO t (v) VALUES ('one phase');
XA END 'one';
XA COMMIT 'one' ONE PHASE;
-- on: mysql57 mysql80 mysql97 mariadb
XA START 'back';
INSERT INTO t (v) VALUES ('back');
XA END 'back';
XA PREPARE 'back';
XA ROLLBACK 'back';
-- on: mysql
SET SESSION binlog_rows_query_log_events = ON;
INSERT INTO t (v) VALUES ('said, é');
SET SESSION binlog_rows_query_log_events = OFF;
-- on: mariadb
SET SESSION binlog_annotate_row_events = OFF;
INSERT INTO t (v) VALUES ('not said');
SET SESSION binlog_annotate_row_events = ON;
SET GLOBAL log_bin_compress = 1, log_bin_compress_min_len = 10;
INSERT INTO t (v) VALUES (REPEAT('z', 50)), (REPEAT('y', 50));
UPDATE t SET v = REPEAT('w', 50) WHERE v LIKE 'zz%';
DELETE FROM t WHERE v LIKE 'yy%';
ALTER TABLE t COMMENT = 'a comment that is long enough to be worth its compression, compression, compression';
SET GLOBAL log_bin_compress = 0, log_bin_compress_min_len = 256;
SET gtid_domain_id = 5;
INSERT INTO t (v) VALUES ('domain 5');
SET gtid_domain_id = 0;
CREATE TABLE addresses (id INT PRIMARY KEY, u UUID, i4 INET4, i6 INET6, c VARCHAR(500) COMPRESSED);
INSERT INTO addresses VALUES (1, '00112233-4455-6677-8899-aabbccddeeff', '192.0.2.1', '2001:db8::1', REPEAT('compressed', 30));
-- on: mysql80 mysql97 mariadb
SET GLOBAL binlog_row_metadata = 'FULL';
CREATE TABLE named (`a é` INT UNSIGNED PRIMARY KEY, b VARCHAR(9) CHARACTER SET gbk, e ENUM('x','é') CHARACTER SET latin1, s SET('p','q'), g POINT);
INSERT INTO named VALUES (4294967295, '中', 'é', 'p,q', POINT(1, 2));
SET GLOBAL binlog_row_metadata = DEFAULT;
-- on: mysql80 mysql97
CREATE TABLE docs (id INT PRIMARY KEY, j JSON, k JSON, after_it INT);
INSERT INTO docs VALUES (1, JSON_OBJECT('a', 1, 'b', REPEAT('x', 60)), '[1, 2, 3]', 1), (2, JSON_OBJECT('a', 2, 'b', REPEAT('y', 60)), '[]', 2);
SET SESSION binlog_row_value_options = 'PARTIAL_JSON';
UPDATE docs SET j = JSON_SET(j, '$.a', 'new'), after_it = 9;
UPDATE docs SET j = JSON_REMOVE(j, '$.a'), k = JSON_ARRAY_INSERT(k, '$[0]', 'é') WHERE id = 1;
SET SESSION binlog_row_value_options = '';
-- on: mysql97
SET SESSION binlog_transaction_compression = ON;
BEGIN;
INSERT INTO t (v) VALUES (REPEAT('p', 60));
INSERT INTO docs (id, after_it) VALUES (10, 10);
UPDATE t SET v = 'packed' WHERE v LIKE 'ppp%';
COMMIT;
SET SESSION binlog_transaction_compression = OFF;
SET SESSION gtid_next = 'AUTOMATIC:tag';
INSERT INTO t (v) VALUES ('tagged');
SET SESSION gtid_next = 'AUTOMATIC';
CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(2), hidden INT INVISIBLE DEFAULT 5);
INSERT INTO vectors (id, v) VALUES (1, STRING_TO_VECTOR('[1, -2]'));
-- on: all
ALTER TABLE t ADD COLUMN w INT FIRST, DROP COLUMN v;
INSERT INTO t (w) VALUES (7);
CREATE INDEX i ON t (w);
RENAME TABLE t TO u, m TO t;
INSERT INTO t VALUES (2);
TRUNCATE TABLE u;
CREATE VIEW v AS SELECT 1 AS one;
DROP VIEW v;
DROP TABLE u, t;
DROP DATABASE {db};
