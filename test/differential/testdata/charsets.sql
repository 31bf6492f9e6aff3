-- Columns in character sets other than the connection's, named after them, and
-- statements of clients that use such a set.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
CREATE TABLE west (id INT PRIMARY KEY, c_utf8 VARCHAR(20) CHARACTER SET utf8, c_latin1 VARCHAR(20) CHARACTER SET latin1, c_cp1250 VARCHAR(20) CHARACTER SET cp1250, c_latin2 CHAR(20) CHARACTER SET latin2, c_cp1251 TEXT CHARACTER SET cp1251, c_koi8r VARCHAR(20) CHARACTER SET koi8r, c_greek VARCHAR(20) CHARACTER SET greek, c_hebrew VARCHAR(20) CHARACTER SET hebrew, c_latin5 VARCHAR(20) CHARACTER SET latin5, c_ascii VARCHAR(20) CHARACTER SET ascii, c_binary VARBINARY(20), c_cp850 VARCHAR(20) CHARACTER SET cp850);
INSERT INTO west VALUES (1, 'é', 'é€“', 'ž', 'ž', 'привет', 'привет', 'αβγ', 'שלום', 'ğ', 'ascii', 'é', 'é'), (2, '', '', '', '', '', '', '', '', '', '', '', ''), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'plain');
UPDATE west SET c_latin1 = 'naïve' WHERE id = 1;
CREATE TABLE east (id INT PRIMARY KEY, c_gbk VARCHAR(20) CHARACTER SET gbk, c_gb2312 VARCHAR(20) CHARACTER SET gb2312, c_big5 VARCHAR(20) CHARACTER SET big5, c_sjis VARCHAR(20) CHARACTER SET sjis, c_cp932 LONGTEXT CHARACTER SET cp932, c_ujis VARCHAR(20) CHARACTER SET ujis, c_euckr VARCHAR(20) CHARACTER SET euckr, c_tis620 VARCHAR(20) CHARACTER SET tis620);
INSERT INTO east VALUES (1, '中文', '中文', '中文', 'カナ', '日本', '日本語', '한국', 'ไทย'), (2, 'mixed 中', 'x', 'y', 'ｶﾅ', 'z', 'w', 'v', 'u');
DELETE FROM east WHERE id = 2;
CREATE TABLE wide (id INT PRIMARY KEY, c_ucs2 VARCHAR(20) CHARACTER SET ucs2, c_utf16 VARCHAR(20) CHARACTER SET utf16, c_utf16le VARCHAR(20) CHARACTER SET utf16le, c_utf32 TEXT CHARACTER SET utf32);
INSERT INTO wide VALUES (1, 'é中', '😀é', '😀é', '😀'), (2, 'ab', 'ab', 'ab', 'ab');
-- on: mysql57 mysql80 mysql97
CREATE TABLE gb (id INT PRIMARY KEY, c_gb18030 VARCHAR(20) CHARACTER SET gb18030);
INSERT INTO gb VALUES (1, '中😀');
-- on: all
CREATE TABLE `表` (id INT PRIMARY KEY, `列` VARCHAR(20));
INSERT INTO `表` VALUES (1, '值');
CREATE TABLE said (id INT PRIMARY KEY, v VARCHAR(200));
SET SESSION binlog_format = 'STATEMENT';
SET NAMES latin1;
-- bytes: windows-1252
INSERT INTO said VALUES (1, 'é “quoted” €');
CREATE TABLE l1 (id INT COMMENT 'é');
-- bytes: utf-8
SET NAMES gbk;
-- bytes: gbk
INSERT INTO said VALUES (2, '中文');
CREATE TABLE `表二` (id INT PRIMARY KEY COMMENT '注释');
-- bytes: utf-8
SET NAMES big5;
-- bytes: big5
INSERT INTO said VALUES (3, '中文');
-- bytes: utf-8
SET NAMES sjis;
-- bytes: shift_jis
INSERT INTO said VALUES (4, 'カナ');
-- bytes: utf-8
SET NAMES cp1251;
-- bytes: windows-1251
INSERT INTO said VALUES (5, 'привет');
-- bytes: utf-8
SET NAMES binary;
INSERT INTO said VALUES (6, 'é');
SET NAMES utf8;
SET @u = 'é中';
INSERT INTO said VALUES (7, @u);
SET @l = CONVERT('é' USING latin1);
SET @g = CONVERT('中文' USING gbk);
SET @b = CAST('\0\xff' AS BINARY);
INSERT INTO said VALUES (8, CONCAT(HEX(@l), HEX(@g)));
INSERT INTO said VALUES (9, HEX(@b));
SET NAMES utf8mb4;
INSERT INTO said VALUES (10, '😀');
SET SESSION binlog_format = 'ROW';
INSERT INTO said VALUES (11, '😀');
INSERT INTO said VALUES (12, 'a{nul}b');
ALTER TABLE l1 COMMENT = 'a{nul}b';
