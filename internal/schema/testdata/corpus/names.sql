--@ about names: quotes, dots, words of the language, other alphabets, and where the schema comes from
--@ form CREATE TABLE # ({} int, `other` text, key k ({}))
--@ form ALTER TABLE # ADD more int AFTER {}, ADD UNIQUE ({})
--@ form ALTER TABLE # CHANGE {} z bigint FIRST
--@ form ALTER TABLE # CHANGE z {} bigint
--@ form ALTER TABLE # MODIFY {} smallint, DROP more
[[`a b`|` lead`|`a.b`|`a``b`|`````|`''`|`"`|`"x"`|`a,b`|`a)b`|`(`|`;`|`--`|`-- x`|`/*`|`/* x */`|`#`|`select`|`table`|`primary`|`PRIMARY KEY`|`1`|`123`|`1e3`|`0x1F`|`a\`|`\\`|`\n`|`%`|`?`|`é`|`列`|`Ω`|`ñandú`|`İi`|`ß`|`K`|`ſ`]];
[[a1|$a|a$b|_a|_|$|1a|2e|0xzz|1_000|é|列名|Ωmega|naïve|a$|__|A|aBc|x1F|b1|n|N|X|_utf8|_latin1|utf8_|@|a-b]];
--@ group
--@ form CREATE TABLE {} (a int, b text)
--@ form ALTER TABLE {} ADD c int FIRST
--@ form RENAME TABLE {} TO `re named`
--@ form RENAME TABLE `re named` TO {}
--@ form CREATE UNIQUE INDEX i ON {} (c)
--@ form DROP TABLE {}
[[`a b`|`a.b`|`h_corpus.x`|`a``b`|`'`|`"`|`;x`|`-- x`|`/*x*/`|`select`|`table`|`if`|`exists`|`1`|`é`|`列`|`a\`|`a/b`|`a:b`|h_corpus.t1|`h_corpus`.`t``2`|h_corpus . t3|`h_corpus`. t4|h_corpus .`t5`|h_other.o1|`h_other`.`o 2`|.t6|h_corpus.1t|h_corpus.123a|t7 /* x */|/* x */ t8|`h_corpus`./* y */`t9`|Ünïcode|$t|_t|T_upper|h_corpus.select|h_corpus.table|h_corpus.key]];
--@ group
--@ mode ANSI_QUOTES
--@ form CREATE TABLE # ("a" int, {} int, "c d" text default 'x', primary key ("a"), unique ({}))
--@ form ALTER TABLE # ADD "new" int AFTER {}, DROP {}
[["b"|"b""b"|`b`|"b`b"|`b"b`|"b'b"|"select"|"a b"|b|"b\"|"b.c"]];
--@ plain
CREATE TABLE "q1" ("a" int comment 'it''s "x"', b enum('a"b','c') default 'c') COMMENT='x "y"';
CREATE TABLE "h_other"."q2" LIKE "q1";
RENAME TABLE "q1" TO "q""3", h_other."q2" TO "q4";
ALTER TABLE "q""3" RENAME TO "h_other"."q5", ADD "z" int;
DROP TABLE "h_other"."q5", "q4";
--@ mode NO_BACKSLASH_ESCAPES
CREATE TABLE b1 (a varchar(5) default '\', b int comment '\', c enum('\','\n','a') default '\');
ALTER TABLE b1 ADD d set('\\','x') comment '\' AFTER a, COMMENT='\';
--@ mode ANSI_QUOTES,NO_BACKSLASH_ESCAPES
CREATE TABLE "b\2" ("a\" int, `b\` int comment '\', c enum('\'));
ALTER TABLE "b\2" DROP "a\", ADD "z""\" int comment '\''';
--@ mode IGNORE_SPACE
CREATE TABLE i1 (a int default 5, b datetime default now (), c varchar (5), primary key (a));
--@ mode PIPES_AS_CONCAT,ANSI
CREATE TABLE i2 (a varchar(10), b varchar(20) as (a || 'x') stored, "c" varchar(20) as (concat("a", ')')));
--@ mode
CREATE TABLE i3 (a varchar(10), b varchar(20) as (a || 'x') stored, c int as (a <=> 'b' or a != 5 and a >> 1 = 3 xor a mod 3) virtual);
--@ group
CREATE DATABASE h_new;
CREATE DATABASE `h_n``ew` DEFAULT CHARACTER SET latin1 COLLATE latin1_bin;
CREATE SCHEMA IF NOT EXISTS `h_n``ew` CHARSET utf8;
CREATE TABLE `h_n``ew`.t (a varchar(10), b text(100));
CREATE TABLE `h_n``ew`.u (a varchar(10)) CHARACTER SET utf8;
ALTER DATABASE `h_n``ew` CHARACTER SET ucs2;
CREATE TABLE `h_n``ew`.v (a varchar(10));
ALTER TABLE `h_n``ew`.t ADD c varchar(5), RENAME TO h_corpus.`t t`;
ALTER TABLE h_corpus.`t t` ADD d varchar(5), CHARSET=DEFAULT;
ALTER TABLE `t t` ADD e varchar(5);
RENAME TABLE `t t` TO `h_n``ew`.t, `h_n``ew`.u TO u2, `h_n``ew`.v TO u3;
ALTER SCHEMA `h_n``ew` COLLATE = utf8_general_ci;
CREATE TABLE `h_n``ew`.w LIKE u2;
DROP DATABASE `h_n``ew`;
DROP SCHEMA IF EXISTS h_new;
DROP DATABASE IF EXISTS h_never;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `h_dump` /*!40100 DEFAULT CHARACTER SET latin1 */;
CREATE TABLE h_dump.x (a char(3), b text, c enum('a'));
CREATE DATABASE IF NOT EXISTS `h_dump` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */ /*!80016 DEFAULT ENCRYPTION='N' */;
CREATE TABLE h_dump.y (a char(3), b text, c enum('a'));
DROP DATABASE h_dump;
--@ on mariadb1011
CREATE DATABASE h_dump CHARSET latin1;
CREATE TABLE h_dump.x (a char(3));
CREATE OR REPLACE DATABASE h_dump CHARSET utf8;
CREATE TABLE h_dump.y (a char(3));
DROP DATABASE h_dump;
