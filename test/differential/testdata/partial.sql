-- Partial updates of JSON, of one row at a time and in a table with one such
-- column, which is the last: Canal takes every JSON column of such a row for a
-- change, also one that is whole, and 1.1.7 reads a change to the end of the event.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
CREATE TABLE docs (id INT PRIMARY KEY, n INT, s VARCHAR(20), j JSON);
INSERT INTO docs VALUES (1, 1, 's', JSON_OBJECT('a', 1, 'b', REPEAT('x', 100), 'c', JSON_ARRAY(1, 2, 3))), (2, 2, NULL, NULL);
UPDATE docs SET j = JSON_SET(j, '$.a', 2) WHERE id = 1;
UPDATE docs SET j = JSON_REPLACE(j, '$.b', 'short') WHERE id = 1;
UPDATE docs SET j = JSON_REMOVE(j, '$.c[0]') WHERE id = 1;
UPDATE docs SET j = JSON_SET(j, '$.a', 3, '$.b', 'x"y''z'), n = 5 WHERE id = 1;
UPDATE docs SET j = JSON_REMOVE(JSON_REPLACE(j, '$.a', 9), '$.b') WHERE id = 1;
UPDATE docs SET j = JSON_SET(j, '$.c[1]', 1.5), s = 'é' WHERE id = 1;
DELETE FROM docs;
