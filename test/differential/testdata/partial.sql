-- Partial updates of JSON, in tables with one such column: Canal takes every
-- JSON column of such a row for a change, also one that is whole.
CREATE DATABASE {db} DEFAULT CHARACTER SET utf8mb4;
USE {db};
CREATE TABLE docs (id INT PRIMARY KEY, j JSON, n INT, s VARCHAR(20));
INSERT INTO docs VALUES (1, JSON_OBJECT('a', 1, 'b', REPEAT('x', 100), 'c', JSON_ARRAY(1, 2, 3)), 1, 's'), (2, NULL, 2, NULL);
UPDATE docs SET j = JSON_SET(j, '$.a', 2) WHERE id = 1;
UPDATE docs SET j = JSON_REPLACE(j, '$.b', 'short') WHERE id = 1;
UPDATE docs SET j = JSON_REMOVE(j, '$.c[0]') WHERE id = 1;
UPDATE docs SET j = JSON_SET(j, '$.a', 3, '$.b', 'x"y''z'), n = 5 WHERE id = 1;
UPDATE docs SET j = JSON_REMOVE(JSON_REPLACE(j, '$.a', 9), '$.b') WHERE id = 1;
UPDATE docs SET j = JSON_SET(j, '$.c[1]', 1.5), s = 'é' WHERE id = 1;
DELETE FROM docs;
