-- Tables that are gone when Canal asks the server for their definition.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
CREATE TABLE gone (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO gone VALUES (1, 'a');
UPDATE gone SET v = 'b';
DELETE FROM gone;
DROP TABLE gone;
CREATE TABLE stays (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO stays VALUES (1, 'a');
CREATE TABLE moved (id INT PRIMARY KEY, v VARCHAR(10));
INSERT INTO moved VALUES (1, 'm');
RENAME TABLE moved TO here;
INSERT INTO here VALUES (2, 'm');
