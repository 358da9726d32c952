CREATE TABLE threads (id TEXT PRIMARY KEY, rollout_path TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, source TEXT NOT NULL,
  model_provider TEXT NOT NULL, cwd TEXT NOT NULL, title TEXT NOT NULL, tokens_used INTEGER NOT NULL DEFAULT 0, name TEXT);
INSERT INTO threads VALUES ('t-named', '/gone/rollout-t-named.jsonl', 1785000000, 1785000100, 'cli', 'openai', '/w/app', 'the first prompt', 123456, 'named');
INSERT INTO threads VALUES ('t-plain', '/gone/rollout-t-plain.jsonl', 1785000200, 1785000300, 'cli', 'openai', '/w/app', 'another prompt', 77, NULL);
INSERT INTO threads VALUES ('t-empty', '/gone/rollout-t-empty.jsonl', 1785000400, 1785000500, 'cli', 'openai', '/w/app', 'a third prompt', 0, NULL);
