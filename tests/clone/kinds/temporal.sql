-- Minimum version: 18.  Keys without overlaps, and foreign keys of periods.
CREATE SCHEMA temporal; SET search_path = temporal;
CREATE TABLE times (id int4range, during tstzrange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE within (id int4range, during tstzrange, UNIQUE (id, during WITHOUT OVERLAPS), FOREIGN KEY (id, PERIOD during) REFERENCES times (id, PERIOD during));
INSERT INTO times VALUES ('[1,2)', '[2020-01-01,2021-01-01)'), ('[1,2)', '[2021-01-01,2022-01-01)');
INSERT INTO within VALUES ('[1,2)', '[2020-06-01,2021-03-01)');
