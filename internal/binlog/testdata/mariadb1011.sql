-- mariadb1011
SET time_zone='+00:00';
SET NAMES utf8mb4;
SET sql_mode='NO_ENGINE_SUBSTITUTION';
CREATE DATABASE h_binlog DEFAULT CHARACTER SET utf8mb4;
USE h_binlog;
CREATE TABLE types (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  c_tiny TINYINT, c_tinyu TINYINT UNSIGNED, c_bool BOOL,
  c_year YEAR,
  c_small SMALLINT, c_smallu SMALLINT UNSIGNED, c_medium MEDIUMINT, c_mediumu MEDIUMINT UNSIGNED,
  c_int INT, c_intu INT UNSIGNED, c_big BIGINT, c_bigu BIGINT UNSIGNED,
  c_float FLOAT, c_double DOUBLE, c_floatu FLOAT UNSIGNED,
  c_dec DECIMAL(10,2), c_dec65 DECIMAL(65,30), c_dec5 DECIMAL(5,0), c_dec20 DECIMAL(20,11) UNSIGNED, c_dec9 DECIMAL(9,9),
  c_bit1 BIT(1), c_bit8 BIT(8), c_bit13 BIT(13), c_bit64 BIT(64),
  c_date DATE, c_time TIME, c_time1 TIME(1), c_time3 TIME(3), c_time6 TIME(6),
  c_dt DATETIME, c_dt1 DATETIME(1), c_dt4 DATETIME(4), c_dt6 DATETIME(6),
  c_ts TIMESTAMP NULL, c_ts2 TIMESTAMP(2) NULL, c_ts6 TIMESTAMP(6) NULL,
  c_enum ENUM('a','b','c'), c_enum300 ENUM('e000','e001','e002','e003','e004','e005','e006','e007','e008','e009','e010','e011','e012','e013','e014','e015','e016','e017','e018','e019','e020','e021','e022','e023','e024','e025','e026','e027','e028','e029','e030','e031','e032','e033','e034','e035','e036','e037','e038','e039','e040','e041','e042','e043','e044','e045','e046','e047','e048','e049','e050','e051','e052','e053','e054','e055','e056','e057','e058','e059','e060','e061','e062','e063','e064','e065','e066','e067','e068','e069','e070','e071','e072','e073','e074','e075','e076','e077','e078','e079','e080','e081','e082','e083','e084','e085','e086','e087','e088','e089','e090','e091','e092','e093','e094','e095','e096','e097','e098','e099','e100','e101','e102','e103','e104','e105','e106','e107','e108','e109','e110','e111','e112','e113','e114','e115','e116','e117','e118','e119','e120','e121','e122','e123','e124','e125','e126','e127','e128','e129','e130','e131','e132','e133','e134','e135','e136','e137','e138','e139','e140','e141','e142','e143','e144','e145','e146','e147','e148','e149','e150','e151','e152','e153','e154','e155','e156','e157','e158','e159','e160','e161','e162','e163','e164','e165','e166','e167','e168','e169','e170','e171','e172','e173','e174','e175','e176','e177','e178','e179','e180','e181','e182','e183','e184','e185','e186','e187','e188','e189','e190','e191','e192','e193','e194','e195','e196','e197','e198','e199','e200','e201','e202','e203','e204','e205','e206','e207','e208','e209','e210','e211','e212','e213','e214','e215','e216','e217','e218','e219','e220','e221','e222','e223','e224','e225','e226','e227','e228','e229','e230','e231','e232','e233','e234','e235','e236','e237','e238','e239','e240','e241','e242','e243','e244','e245','e246','e247','e248','e249','e250','e251','e252','e253','e254','e255','e256','e257','e258','e259','e260','e261','e262','e263','e264','e265','e266','e267','e268','e269','e270','e271','e272','e273','e274','e275','e276','e277','e278','e279','e280','e281','e282','e283','e284','e285','e286','e287','e288','e289','e290','e291','e292','e293','e294','e295','e296','e297','e298','e299'),
  c_set SET('a','b','c'), c_set64 SET('s00','s01','s02','s03','s04','s05','s06','s07','s08','s09','s10','s11','s12','s13','s14','s15','s16','s17','s18','s19','s20','s21','s22','s23','s24','s25','s26','s27','s28','s29','s30','s31','s32','s33','s34','s35','s36','s37','s38','s39','s40','s41','s42','s43','s44','s45','s46','s47','s48','s49','s50','s51','s52','s53','s54','s55','s56','s57','s58','s59','s60','s61','s62','s63'),
  c_char CHAR(10), c_char255 CHAR(255), c_vchar VARCHAR(20), c_vchar255 VARCHAR(255), c_vchar3000 VARCHAR(3000),
  c_latin1 VARCHAR(30) CHARACTER SET latin1, c_gbk CHAR(8) CHARACTER SET gbk,
  c_bin BINARY(4), c_bin200 BINARY(200), c_vbin VARBINARY(20), c_vbin300 VARBINARY(300),
  c_tblob TINYBLOB, c_blob BLOB, c_mblob MEDIUMBLOB, c_lblob LONGBLOB,
  c_ttext TINYTEXT, c_text TEXT, c_mtext MEDIUMTEXT, c_ltext LONGTEXT,
  c_point POINT, c_geom GEOMETRY,
  c_json JSON,
  c_uuid UUID, c_inet6 INET6, c_inet4 INET4, c_cvchar VARCHAR(200) COMPRESSED, c_cblob BLOB COMPRESSED, c_ctext TEXT COMPRESSED,
  c_last INT NOT NULL DEFAULT 7
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO types VALUES
(NULL,127,255,1,2155,32767,65535,8388607,16777215,2147483647,4294967295,9223372036854775807,18446744073709551615,3.4e38,1.7e308,1.5,99999999.99,12345678901234567890123456789012345.123456789012345678901234567890,99999,123456789.12345678901,0.999999999,b'1',b'11111111',b'1111111111111',0xFFFFFFFFFFFFFFFF,'9999-12-31','838:59:59','100:00:00.5','12:34:56.789','-00:00:00.000001','9999-12-31 23:59:59','2024-02-29 12:34:56.7','2024-02-29 12:34:56.7891','2024-02-29 12:34:56.789123','2038-01-19 03:14:07','2024-02-29 12:34:56.78','2024-02-29 12:34:56.789123','c','e299','a,b,c',18446744073709551615,'0123456789',REPEAT('中',255),'varchar',REPEAT('x',255),REPEAT('y',3000),'café','中文',x'00010000',REPEAT(x'01',200),x'0102',REPEAT(x'FF',300),REPEAT('t',255),REPEAT('b',300),REPEAT('m',300),REPEAT('l',300),REPEAT('t',255),REPEAT('b',300),'mediumtext 😀','longtext',ST_GeomFromText('POINT(1 2)'),ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'),'{"a":1,"b":[1,2.5,null,true,"x"],"c":{"d":"中"}}','00112233-4455-6677-8899-aabbccddeeff','2001:db8::1','192.0.2.1',REPEAT('z',200),REPEAT('z',2000),REPEAT('z',2000),2147483647),
(NULL,-128,0,0,1901,-32768,0,-8388608,0,-2147483648,0,-9223372036854775808,0,-0.0,-1e-300,0,-99999999.99,-0.000000000000000000000000000001,-5,0,0,b'0',b'1',b'1',1,'1000-01-01','-838:59:59','-00:00:00.5','00:00:00','00:00:00','1000-01-01 00:00:00','1000-01-01 00:00:00','1000-01-01 00:00:00','1000-01-01 00:00:00','1970-01-02 00:00:01','1970-01-02 00:00:01','1970-01-02 00:00:01','a','e000','',1,'','','','','','','',x'00','','','','','','','','','','','',ST_GeomFromText('POINT(0 0)'),ST_GeomFromText('POINT(-1 -1)'),'[]','00000000-0000-0000-0000-000000000000','::','0.0.0.0','short','','short',-1);
INSERT INTO types (c_last) VALUES (1),(2);
UPDATE types SET c_int=5, c_vchar=NULL, c_dec=1.10 WHERE id=1;
UPDATE types SET c_last=c_last+1 WHERE id IN (3,4);
DELETE FROM types WHERE id=4;
SET binlog_row_image='MINIMAL';
UPDATE types SET c_vchar='minimal' WHERE id=2;
DELETE FROM types WHERE id=3;
INSERT INTO types (id,c_year) VALUES (9,2024);
SET binlog_row_image='NOBLOB';
UPDATE types SET c_tiny=3 WHERE id=1;
SET binlog_row_image='FULL';
CREATE TABLE tx (id INT PRIMARY KEY, v VARCHAR(50));
BEGIN;
INSERT INTO tx VALUES (1,'a'),(2,'b');
SAVEPOINT s;
UPDATE tx SET v='c' WHERE id=2;
DELETE FROM tx WHERE id=1;
COMMIT;
CREATE TABLE my (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=MyISAM;
INSERT INTO my VALUES (1,'myisam');
XA START 'gtrid','bqual',7;
INSERT INTO tx VALUES (3,'xa');
XA END 'gtrid','bqual',7;
XA PREPARE 'gtrid','bqual',7;
XA COMMIT 'gtrid','bqual',7;
XA START 'one';
INSERT INTO tx VALUES (4,'one phase');
XA END 'one';
XA COMMIT 'one' ONE PHASE;
XA START 'back';
INSERT INTO tx VALUES (5,'rolled back');
XA END 'back';
XA PREPARE 'back';
XA ROLLBACK 'back';
CREATE TABLE part (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN MAXVALUE);
INSERT INTO part VALUES (15,1);
UPDATE part SET id=25 WHERE id=15;
DELETE FROM part WHERE id=25;
CREATE TABLE a1 (id INT PRIMARY KEY, v INT);
CREATE TABLE a2 (id INT PRIMARY KEY, v INT);
INSERT INTO a1 VALUES (1,1);
INSERT INTO a2 VALUES (1,1);
UPDATE a1 JOIN a2 USING (id) SET a1.v=2, a2.v=3;
INSERT INTO a1 SELECT 1000 + 10*x.n + y.n, 0 FROM (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) x, (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) y;
ALTER TABLE tx ADD COLUMN `中文` INT NULL, ADD INDEX iv (v);
CREATE TABLE `t 表` (id INT PRIMARY KEY);
INSERT INTO `t 表` VALUES (1);
RENAME TABLE `t 表` TO renamed;
TRUNCATE TABLE renamed;
DROP INDEX iv ON tx;
DROP TABLE renamed;
CREATE VIEW vw AS SELECT 1 AS one;
CREATE TEMPORARY TABLE tmp (id INT);
DROP TEMPORARY TABLE tmp;
CREATE TABLE st (id INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(100), d DOUBLE, n DECIMAL(20,5));
SET SESSION binlog_format='STATEMENT';
SET @s='it''s', @i=-5, @u=18446744073709551615, @d=1.5e0, @n=12.345, @z=NULL;
INSERT INTO st (s) VALUES (@s);
INSERT INTO st (s,d) VALUES (@i,@d);
INSERT INTO st (s,n) VALUES (@u,@n);
INSERT INTO st (s) VALUES (@z);
INSERT INTO st (d) VALUES (RAND());
INSERT INTO st (s) SELECT LAST_INSERT_ID();
SET SESSION binlog_format='ROW';
SET GLOBAL binlog_row_metadata='FULL';
INSERT INTO types (c_last) VALUES (3);
CREATE TABLE meta (a INT UNSIGNED, `列` VARCHAR(10) CHARACTER SET gbk, b CHAR(5) CHARACTER SET latin1, c ENUM('x','é') CHARACTER SET latin1, d SET('p','q'), e TEXT, f BLOB, g GEOMETRY, y YEAR, i TINYINT, PRIMARY KEY (b(2), a));
INSERT INTO meta (a,b,c,d) VALUES (1,'bb','x','p,q');
SET GLOBAL binlog_row_metadata='NO_LOG';
SET GLOBAL log_bin_compress=1, log_bin_compress_min_len=10;
INSERT INTO tx (id,v) VALUES (100,REPEAT('z',50)),(101,REPEAT('z',50));
UPDATE tx SET v=REPEAT('w',50) WHERE id=100;
DELETE FROM tx WHERE id=101;
CREATE TABLE compressed_ddl (id INT PRIMARY KEY, a VARCHAR(100), b VARCHAR(100), c VARCHAR(100)) COMMENT 'a comment long enough to be worth compressing compressing compressing';
SET GLOBAL log_bin_compress=0, log_bin_compress_min_len=256;
SET gtid_domain_id=5;
INSERT INTO tx (id,v) VALUES (300,'domain 5');
SET gtid_domain_id=0;
SET GLOBAL mysql56_temporal_format=OFF;
CREATE TABLE old_temporal (id INT PRIMARY KEY, t TIME, d DATETIME, s TIMESTAMP NULL, tail INT);
INSERT INTO old_temporal VALUES (1,'-12:34:56','2024-02-29 12:34:56','2024-02-29 12:34:56',7);
SET GLOBAL mysql56_temporal_format=ON;
DROP DATABASE h_binlog;
