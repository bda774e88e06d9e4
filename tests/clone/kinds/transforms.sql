-- Transforms.
CREATE SCHEMA transforms; SET search_path = transforms;
CREATE TYPE state AS ENUM ('new', 'old');
CREATE TRANSFORM FOR transforms.state LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal));
CREATE FUNCTION uses(state) RETURNS int TRANSFORM FOR TYPE state LANGUAGE sql AS 'SELECT 1';
COMMENT ON TRANSFORM FOR transforms.state LANGUAGE sql IS 'a transform';
