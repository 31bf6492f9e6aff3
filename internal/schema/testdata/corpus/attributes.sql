--@ about attributes of columns, in every order and company
--@ form CREATE TABLE # (id int, c {}, z varchar(5))
--@ form ALTER TABLE # ADD d {} AFTER id
[[int|varchar(20)|date]] [[not null|null|default null|not null default '1'|default '1' not null|comment 'text' not null|not null comment 'text'|unique|unique key|comment 'a, b) c' null default null]];
int [[default 0|default -1|default +1|default 1.5|default 1e1|default 0x31|default b'1'|default x'31'|default true|default false|not null default '0' comment ''|default (1)|default (1+1)|default (abs(-5))]];
int [[default -(-1)|default 1+1|default (((2)))|default (length('a)b'))|default(3)not null]];
varchar(50) [[default ''|default 'it''s'|default "dq"|default 'a\'b'|default 'a\\'|default N'n'|default _utf8mb4'x'|default _latin1 'x' not null|default _utf8'x' collate utf8_bin|default ('a')|default (uuid())|default (concat('(', ')'))|default (concat("a", ',', `id`))|default uuid()|default user()|default (current_user())]];
text [[default ('x')|default 'x'|default null|not null|default (concat('a', ')'))]];
blob [[default ('x')|default 'x'|default null]];
json [[default (json_object())|default (json_array(1, 2))|default '{}'|default ('[]') not null]];
point [[default null|default (point(1,2))]];
bit(4) [[default b'101'|default 5|default 0b11|not null default b'0']];
enum('a','b') [[default 'a'|not null default 'b'|default null|default 1]];
set('a','b') [[default 'a,b'|not null default ''|default null]];
date [[default '2020-01-01'|default (curdate())|default (current_date)|default curdate()|not null default '0000-00-00']];
datetime(3) [[default now(3)|default current_timestamp(3) on update current_timestamp(3)|not null on update now(3) default now(3)|default localtimestamp(3)|default (now(3))]];
int [[column_format fixed|column_format dynamic|column_format default|storage disk|storage memory|storage default|column_format fixed storage memory not null|/*!50606 STORAGE DISK */ /*!50606 COLUMN_FORMAT FIXED */ DEFAULT NULL]];
int [[invisible|visible|invisible default 1|default 1 invisible|not null default 1 invisible|invisible comment 'x' not null default 2|/*!80023 INVISIBLE */|not null /*!80023 INVISIBLE */ default 3]];
int [[engine_attribute '{}'|engine_attribute='{"a": 1}'|secondary_engine_attribute '{}'|engine_attribute '{}' secondary_engine_attribute='{}' not null|not secondary|not null not secondary]];
int [[check (c > 0)|check (c > 0 or c < 9)|constraint cc check (c <> 5) not null|check (c in (1,2,3)) enforced|check (c > 0) not enforced|constraint check (c > 0)|check (`c` is null or (c between 1 and 5))|not null check(length('(')=1)]];
int [[references p (id)|references p|references p (id) on delete cascade|references p (id) on update set null on delete no action|references p (id) match full on delete set default not null|references h_other.p(id) match simple|not null references `p`(`id`) on delete restrict comment 'x'|references p(id) match partial on update cascade]];
int [[as (id+1)|generated always as (id+1)|as (id+1) virtual|as (id+1) stored|as (id+1) persistent|generated always as (id * 2) stored not null|as (id+1) virtual comment 'x'|as (id+1) stored unique|generated always as (id+1) virtual null|AS ((id+1)*(2)) VIRTUAL unique key|as (id) invisible]];
varchar(30) [[as (concat(z, ')'))|as (concat(z, '\'', "x")) stored|character set latin1 as (z)|as (z) virtual collate utf8mb4_bin|generated always as (concat('a''b',z)) stored comment 'x'|collate latin1_bin generated always as (z) virtual|as (substr(z,1,2)) persistent unique]];
json [[as (json_object('a', id))|generated always as (json_array(id)) stored]];
int [[without system versioning|with system versioning]];
[[varchar(10)|char(3)|text]] [[character set latin1 collate latin1_bin not null|collate utf8mb4_bin character set utf8mb4|collate utf8mb4_unicode_ci default null|charset binary not null|binary character set latin1|character set latin1 binary|ascii binary|binary ascii|unicode binary|binary unicode|not null collate latin1_bin|collate latin1_bin comment 'x'|character set default|charset default|collate 'latin1_bin'|character set 'latin1'|character set "utf8"|charset 'binary'|character set `latin1`|collate binary]];
varchar(10) charset [[ucs2|utf16|utf16le|utf32|gbk|gb2312|gb18030|big5|sjis|cp932|ujis|eucjpms|euckr|cp1251|koi8r|hebrew|tis620|latin2|utf8mb3|ascii|dec8|swe7|geostd8|armscii8|macroman|keybcs2|cp850|greek|utf8|utf8mb4|hp8|cp866|cp852|latin5|latin7|cp1256|cp1257|koi8u|macce|cp1250]];
varchar(10) collate [[ucs2_bin|utf16_general_ci|utf16le_bin|utf32_bin|gbk_chinese_ci|gb2312_bin|gb18030_chinese_ci|big5_bin|sjis_bin|cp932_bin|ujis_bin|eucjpms_bin|euckr_bin|utf8mb3_bin|utf8mb3_general_ci|utf8_general_ci|utf8mb4_0900_ai_ci|utf8mb4_zh_0900_as_cs|utf8mb4_ja_0900_as_cs|utf8mb4_unicode_520_ci|utf8_czech_ci|uca1400_ai_ci|utf8mb4_uca1400_german2_as_ci|uca1400_swedish_nopad_as_cs|utf8mb4_nopad_bin|latin1_general_cs|utf8mb4_ja_0900_as_cs_ks|utf8mb3_uca1400_ai_ci]];
text(300) character set [[utf8|utf8mb4|latin1|ucs2|utf32|gbk|sjis|ujis|gb18030]];
--@ form CREATE TABLE # (c {})
int [[primary key|key|not null primary key|primary key auto_increment|auto_increment primary key|unsigned not null auto_increment key|auto_increment unique|unique auto_increment not null|primary key comment 'x'|comment 'x' primary key not null|primary key unique|unique primary key|not null unique key primary key|default 5 primary key|null unique|auto_increment not null unique key|primary key check (c>0)]];
bigint [[unsigned not null auto_increment primary key comment 'a'|auto_increment unique comment 'b'|serial default value|not null serial default value]];
varchar(10) [[primary key|primary key default 'a'|character set latin1 primary key|unique collate latin1_bin|primary key column_format fixed]];
[[timestamp|timestamp(3)]] [[null default null primary key|primary key default 0|unique null]];
[[int|char(1)|date]] [[not null null|null not null|not null not null|null null|default 1 default 2|comment 'a' comment 'b'|unique unique|primary key not null null]];
--@ form CREATE TABLE # (a int{}, b int)
[[ ,c int| , c int ,d int|/**/ , c int|,
c int|	,	c int|, c int /* , d int */|, c int -- , d int
, e int|, c int # , d int
, e int|, `c` int, KEY (`c`)| /*!, c int */| /*!50100 , c int */| /*!50799 , c int */| /*!80099 , c int */| /*!99999 , c int */| /*M! , c int */| /*M!100100 , c int */| /*M!110000 , c int */|/*! unsigned *//*!50000 not null*/| /*!080000 not null */| /*!100000 not null */| /*!090000 unsigned */| /*!101100 unsigned */ | /*!50100 unsigned /* inner */ not null */]];
