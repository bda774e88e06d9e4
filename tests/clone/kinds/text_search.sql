-- Text search: parsers, templates, dictionaries, configurations, and indexes that use them.
CREATE SCHEMA text_search; SET search_path = text_search;
CREATE TEXT SEARCH PARSER parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = template, ACCEPT = false);
CREATE TEXT SEARCH CONFIGURATION mine (PARSER = parser);
ALTER TEXT SEARCH CONFIGURATION mine ADD MAPPING FOR asciiword, word WITH words, pg_catalog.english_stem;
CREATE TABLE t (v text, s tsvector GENERATED ALWAYS AS (to_tsvector('text_search.mine', v)) STORED);
CREATE INDEX by_word ON t USING gin (to_tsvector('text_search.mine', v));
INSERT INTO t SELECT 'the running word ' || i FROM generate_series(1, 20) i;
COMMENT ON TEXT SEARCH PARSER parser IS 'p'; COMMENT ON TEXT SEARCH TEMPLATE template IS 't'; COMMENT ON TEXT SEARCH DICTIONARY words IS 'd'; COMMENT ON TEXT SEARCH CONFIGURATION mine IS 'c';
