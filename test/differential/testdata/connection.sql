-- For settings of canal.instance.connectionCharset. Columns are named after their
-- character set; names and what is not in a column are in ASCII, because the
-- setting applies to those too.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
CREATE TABLE t (id INT PRIMARY KEY, c_utf8mb4 VARCHAR(40), c_utf8 CHAR(20) CHARACTER SET utf8, c_gbk VARCHAR(300) CHARACTER SET gbk, c_latin1 TEXT CHARACTER SET latin1, c_utf16 VARCHAR(20) CHARACTER SET utf16, c_sjis VARCHAR(20) CHARACTER SET sjis, c_ascii VARCHAR(20) CHARACTER SET ascii, b VARBINARY(20), e ENUM('x','y'), n DECIMAL(9,2));
INSERT INTO t VALUES (1, CONCAT('é中', '😀'), 'é', '中文', 'é', 'é中', 'カナ', 'ascii', 0x80FFC3A9, 'y', 1.5);
INSERT INTO t VALUES (2, '', '', '', '', '', '', '', '', NULL, NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE t SET c_gbk = '變更', c_utf8mb4 = 'ж' WHERE id = 1;
UPDATE t SET c_latin1 = '€', c_utf8mb4 = CONVERT(UNHEX('C3A9E4B8AD') USING utf8mb4) WHERE id = 1;
DELETE FROM t WHERE id = 2;
-- on: mysql57 mysql80 mysql97
CREATE TABLE j (id INT PRIMARY KEY, c_utf8mb4 JSON);
INSERT INTO j VALUES (1, CONVERT(UNHEX('7B22C3A9223A205B22E4B8AD222C20312E352C20747275655D7D') USING utf8mb4)), (2, '"plain"'), (3, NULL);
UPDATE j SET c_utf8mb4 = JSON_SET(c_utf8mb4, '$.k', CONVERT(UNHEX('F09F9880') USING utf8mb4)) WHERE id = 1;
-- on: all
SET SESSION binlog_format = 'STATEMENT';
INSERT INTO t (id, c_utf8mb4) VALUES (10, 'statement');
SET @v = 'plain';
INSERT INTO t (id, c_utf8mb4) VALUES (11, @v);
SET SESSION binlog_format = 'ROW';
ALTER TABLE t COMMENT = 'plain';
