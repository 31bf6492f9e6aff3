-- What stops Java Canal. Tables whose name begins with "kept" are compared with
-- their content; the others are dropped before anyone reads.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
SET SESSION sql_mode = '';
CREATE TABLE kept_plain (id INT PRIMARY KEY, v VARCHAR(20));
INSERT INTO kept_plain VALUES (1, 'a'), (2, NULL);
-- on: mysql97 mariadb
CREATE TABLE kept_invisible (id INT PRIMARY KEY, v VARCHAR(20), hidden INT INVISIBLE DEFAULT 5, w INT);
INSERT INTO kept_invisible (id, v, w) VALUES (1, 'a', 7);
INSERT INTO kept_invisible (id, v, hidden, w) VALUES (2, 'b', 6, NULL);
ALTER TABLE kept_invisible ADD COLUMN late INT INVISIBLE AFTER v;
INSERT INTO kept_invisible (id, late) VALUES (3, 9);
-- on: mysql97
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE kept_no_key (a INT, b VARCHAR(10));
INSERT INTO kept_no_key VALUES (1, 'x'), (2, 'y');
UPDATE kept_no_key SET b = 'z' WHERE a = 2;
SET SESSION sql_generate_invisible_primary_key = OFF;
CREATE TABLE kept_vector (id INT PRIMARY KEY, b INT);
CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3), after_it VARCHAR(10));
INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[1,2,3]'), 'x'), (2, NULL, 'y');
CREATE TABLE kept_functional (a INT PRIMARY KEY, b INT, KEY f ((a + b)), KEY g (b, (a * 2)));
INSERT INTO kept_functional VALUES (1, 2);
-- on: mysql80 mysql97 mariadb
CREATE TABLE kept_key_renamed (name VARCHAR(10) PRIMARY KEY, v INT);
ALTER TABLE kept_key_renamed RENAME COLUMN name TO nam;
INSERT INTO kept_key_renamed VALUES ('new', 2);
-- on: mysql80 mysql97
CREATE TABLE kept_srid (id INT PRIMARY KEY, n INT, g GEOMETRY NOT NULL SRID 4326);
ALTER TABLE kept_srid DROP COLUMN g;
INSERT INTO kept_srid VALUES (1, 2);
-- on: mariadb
CREATE TABLE kept_compressed (id INT PRIMARY KEY, v VARCHAR(1000) COMPRESSED, t TEXT COMPRESSED DEFAULT NULL);
INSERT INTO kept_compressed VALUES (1, REPEAT('abc', 200), REPEAT('é', 400)), (2, 'short', ''), (3, NULL, NULL);
CREATE SEQUENCE seq START WITH 5;
CREATE TABLE kept_seq (id INT PRIMARY KEY DEFAULT (NEXT VALUE FOR seq), v INT);
INSERT INTO kept_seq (v) VALUES (1), (2);
CREATE TABLE kept_versioned (id INT PRIMARY KEY, v VARCHAR(10)) WITH SYSTEM VERSIONING;
INSERT INTO kept_versioned VALUES (1, 'a');
UPDATE kept_versioned SET v = 'b';
CREATE OR REPLACE TABLE kept_replaced (id INT PRIMARY KEY);
CREATE OR REPLACE TABLE kept_replaced (name VARCHAR(10) PRIMARY KEY, id INT);
INSERT INTO kept_replaced VALUES ('a', 2);
ALTER TABLE kept_replaced ADD COLUMN IF NOT EXISTS extra INT FIRST;
INSERT INTO kept_replaced VALUES (1, 'b', 2);
CREATE TABLE kept_period (id INT PRIMARY KEY, s DATE, e DATE, PERIOD FOR p (s, e));
INSERT INTO kept_period VALUES (1, '2024-01-01', '2024-02-01');
-- on: mysql57 mysql80 mysql97 mariadb
CREATE TABLE kept_generated (a INT PRIMARY KEY, b INT AS (a + 1) VIRTUAL, c VARCHAR(20) AS (CONCAT('v', a)) STORED);
INSERT INTO kept_generated (a) VALUES (1), (5);
-- on: all
CREATE TABLE `kept_a``b` (`c``d` INT PRIMARY KEY, `e.f` INT);
INSERT INTO `kept_a``b` VALUES (1, 2);
ALTER TABLE `kept_a``b` ADD COLUMN `g``` INT FIRST;
INSERT INTO `kept_a``b` VALUES (3, 2, 1);
CREATE TABLE `kept_with.dot` (id INT PRIMARY KEY, v INT);
INSERT INTO `kept_with.dot` VALUES (1, 1);
CREATE TABLE `kept_表` (`键` INT PRIMARY KEY, `值` VARCHAR(10));
INSERT INTO `kept_表` VALUES (1, '中');
CREATE TABLE `{db}`.`kept_q` (`id` INT PRIMARY KEY, v INT);
INSERT INTO kept_q VALUES (1, 1);
CREATE TABLE kept_renamed_key (id INT PRIMARY KEY, v INT);
ALTER TABLE kept_renamed_key CHANGE id ident INT;
INSERT INTO kept_renamed_key VALUES (1, 1);
CREATE TABLE short_lived (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO short_lived VALUES (1, 'gone');
DROP TABLE short_lived;
