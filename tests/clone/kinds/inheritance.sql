-- Inheritance, single and multiple; what is local and what is not.
CREATE SCHEMA inheritance; SET search_path = inheritance;
CREATE TABLE base (id int PRIMARY KEY, v text NOT NULL DEFAULT 'b', CONSTRAINT short CHECK (length(v) < 9));
CREATE TABLE other (id int, w int DEFAULT 3);
CREATE TABLE derived (extra int CHECK (extra > 0)) INHERITS (base);
CREATE TABLE both_of_them (id int, v text DEFAULT 'd') INHERITS (derived, other);
CREATE TABLE joined_later (id int NOT NULL, v text NOT NULL, CONSTRAINT short CHECK (length(v) < 9)); ALTER TABLE joined_later INHERIT base;
INSERT INTO base VALUES (1, 'a'); INSERT INTO derived VALUES (2, 'b', 3); INSERT INTO both_of_them VALUES (3, 'c', 4, 5); INSERT INTO joined_later VALUES (9, 'x');
