--@ about every column type in every spelling, with the attributes that belong to it
--@ form CREATE TABLE # (c {})
[[tinyint|smallint|mediumint|int|bigint]][[|(1)|(5)|(0)|(255)]][[| unsigned| signed| zerofill| unsigned zerofill| ZEROFILL UNSIGNED]];
[[integer|int1|int2|int3|int4|int8|middleint|INTEGER|Int]][[|(3)]][[| unsigned| signed]];
[[bool|boolean|BOOL]];
[[bool not null|boolean default true|bool default false|boolean null]];
[[decimal|dec|numeric|fixed|DECIMAL]][[|(5)|(5,0)|(5,2)|(65,30)|(0)|( 7 , 3 )|(10,10)]][[| unsigned| zerofill]];
[[float|float4|FLOAT]][[|(5)|(24)|(25)|(53)|(0)|(7,3)|(10,0)|(255,30)]][[| unsigned| zerofill]];
[[double|double precision|real|float8|DOUBLE  PRECISION]][[|(7,3)|(53,30)|(10,0)]][[| unsigned| zerofill| signed]];
bit[[|(1)|(8)|(64)|(0)|( 3 )]];
[[date|time|datetime|timestamp null|year|DATE|TIME|DATETIME|TIMESTAMP NULL|YEAR]];
[[time|datetime]][[(0)|(1)|(3)|(6)|( 2 )]];
timestamp[[(0)|(1)|(3)|(6)]] null;
year[[(4)|(2)|(0)| unsigned| zerofill]];
timestamp[[ NOT NULL DEFAULT CURRENT_TIMESTAMP| DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP|(3) NOT NULL DEFAULT now(3) on update now(3)|(6) DEFAULT LOCALTIMESTAMP(6)| NOT NULL DEFAULT '2000-01-01 00:00:00'| DEFAULT 0| NULL DEFAULT NULL| NULL ON UPDATE CURRENT_TIMESTAMP]];
datetime[[ DEFAULT CURRENT_TIMESTAMP| DEFAULT now() ON UPDATE now()|(3) DEFAULT LOCALTIME(3)|(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)| DEFAULT '2001-02-03'| DEFAULT NULL ON UPDATE NOW()]];
[[char|character|CHAR]][[|(0)|(1)|(255)|( 10 )]][[| binary| character set latin1| charset utf8| CHARACTER SET utf8mb4 COLLATE utf8mb4_bin| collate latin1_german1_ci| ascii| unicode| byte| character set binary]];
[[varchar|character varying|char varying|varcharacter|VarChar]]([[0|1|255|256|2000]])[[| binary| character set latin1| charset=utf8| CHARACTER SET = utf8mb4| collate=latin1_bin| ascii| unicode| byte| CHARACTER SET binary| char set latin1]];
varchar([[65532|21844|16383|16384|65535]])[[| character set latin1| charset utf8]];
[[nchar|national char|national character|NCHAR]][[|(0)|(7)]][[| binary]];
[[nvarchar|nchar varchar|nchar varying|national varchar|national char varying|national character varying|national varcharacter]](9)[[| binary]];
[[tinytext|text|mediumtext|longtext|TEXT]][[| binary| character set latin1| charset utf8mb4 collate utf8mb4_general_ci| ascii| unicode| byte| character set binary| collate utf8_bin]];
text([[0|1|63|64|85|255|256|16383|16384|21845|21846|65535|65536|4194303|4194304|5592405|16777215|16777216|4294967295]])[[| character set latin1| charset utf8| charset ucs2| character set binary| charset gbk]];
[[tinyblob|blob|mediumblob|longblob]];
blob([[0|1|255|256|65535|65536|16777215|16777216|4294967295]]);
[[binary|varbinary(5)|binary(0)|binary(255)|varbinary(0)|varbinary(65000)|BINARY(3)|VARBINARY(70000)|varchar(70000)|varchar(100000) character set latin1|char byte|varchar(4) byte|binary(5) not null default 'ab']];
[[long|long varchar|long char varying|long character varying|long varcharacter|long varbinary|LONG]][[| character set latin1| binary| byte]];
[[enum|set|ENUM]]([['a'|'a','b'|'x','y z','it''s'|'a' , 'b'|'','b'|"d""q",'e'|'back\\slash','n\nl'|'trail  ','  lead'|'é','ü'|'semi;colon','com,ma','par)en'|'a''','''b','''''|'quo"te','back`tick'|'per%cent','un_der','\%','\_'|'0','1','00']])[[| character set latin1| charset utf8 not null| collate utf8_bin| binary]];
enum(0x61,0x62);
enum(b'01100001','c');
set(x'61','c');
[[enum('tab\t','cr\r','ctrlz\Z','bs\b')|enum('\a','\'q')]];
enum('é','表');
enum('two
lines','tab	tab');
[[json|JSON|json not null|json default null|json null comment 'x']];
[[geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|geometrycollection|geomcollection|POINT]][[| not null| null comment 'g']];
[[geometry|point]] [[srid 0|srid 4326|not null srid 4326|srid 0 not null|not null /*!80003 SRID 4326 */|REF_SYSTEM_ID=101]];
serial;
[[SERIAL comment 'x'|serial not null|bigint serial default value|int unsigned serial default value|serial primary key]];
[[vector|vector(1)|vector(3)|vector(16383)|vector(3) not null|VECTOR(5) NULL]];
[[inet6|inet4|uuid|INET6|UUID]][[| not null| default null]];
[[inet6 default '::1'|inet4 default '1.2.3.4'|uuid default uuid()|uuid not null default '123e4567-e89b-12d3-a456-426655440000']];
[[varchar(10)|text|blob|varbinary(300)|tinytext|longblob|char(5)]] compressed[[|=zlib| not null| default ''| comment 'x']];
[[varchar(10) compressed character set latin1|text /*!100301 COMPRESSED*/|varchar(8) /*M!100301 COMPRESSED*/ DEFAULT NULL|text compressed charset utf8mb4]];
[[mariadb_schema.date|mariadb_schema.timestamp null|oracle_schema.date|maxdb_schema.timestamp|mariadb_schema.varchar(5)|oracle_schema.blob]];
--@ on mariadb1011
--@ mode ORACLE
[[varchar2(10)|clob|raw(5)|number|number(5)|number(5,2)|date|blob|varchar(10)|date not null|datetime|timestamp null|int|char(3)|VARCHAR2(12) character set latin1|raw(20) not null|clob character set latin1|mariadb_schema.date|time|mariadb_schema.blob]];
--@ on
--@ mode REAL_AS_FLOAT
[[real|REAL unsigned|real(7,3)|real not null|double|double precision|float8|float|Real zerofill]];
--@ mode ANSI
[[real|double|varchar(5) default 'x'|enum('a','b')|char(2) comment 'c']];
--@ on mysql56 mysql57 mariadb1011
--@ mode MAXDB
[[timestamp|timestamp null|datetime|int]];
--@ mode MSSQL
[[varchar(3)|text|timestamp null]];
--@ on
--@ mode NO_BACKSLASH_ESCAPES
enum([['a\'|'\n','\\'|'it''s\']]);
set('\%','\\');
varchar(5) default '\';
varchar(5) comment 'c:\' not null;
--@ mode
--@ on mysql80 mysql97 mariadb1011
enum('nul\0byte');
