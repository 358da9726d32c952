CREATE TABLE sessions (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, title TEXT, recap_text TEXT, model TEXT NOT NULL, mode TEXT NOT NULL,
  cwd_at_start TEXT NOT NULL, cwd_last TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL) STRICT;
CREATE TABLE messages (session_id TEXT NOT NULL, seq INTEGER NOT NULL, role TEXT NOT NULL, message_json TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE usage_events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, message_seq INTEGER, source TEXT NOT NULL, model TEXT NOT NULL,
  input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER, cost_micros INTEGER, created_at TEXT);
INSERT INTO sessions VALUES ('c-1', 'w', 'A talk', NULL, 'grok-4.6', 'agent', '/w/app', '/w/app/sub', 'active', '2026-09-01T09:00:00.000Z', '2026-09-01T09:10:00.000Z');
INSERT INTO sessions VALUES ('c-2', 'w', NULL, NULL, 'grok-4.6', 'agent', '/w/two', '/w/two', 'active', '2026-09-01T23:00:00.000Z', '2026-09-01T23:10:00.000Z');
INSERT INTO messages VALUES ('c-1', 1, 'user', '{"text":"secret"}', '2026-09-01T09:00:00.000Z');
INSERT INTO usage_events VALUES (1, 'c-1', 2, 'message', 'grok-4.6', 1200, 80, 1280, 4200, '2026-09-01T09:00:10.000Z');
INSERT INTO usage_events VALUES (2, 'c-1', NULL, 'title', 'grok-code-fast-2', 90, 6, 96, 0, '2026-09-01T09:00:11.000Z');
INSERT INTO usage_events VALUES (3, 'c-1', 4, 'message', 'grok-4.6', 1200, 80, 1280, 4200, '2026-09-01T09:05:10.000Z');
INSERT INTO usage_events VALUES (4, 'c-1', 6, 'message', 'grok-4.6', 12, 2, 354, NULL, '2026-09-01T09:06:10.000Z');
INSERT INTO usage_events VALUES (5, 'c-1', 6, 'delegation', 'grok-4.6', 500, 50, 0, NULL, '2026-09-01T09:07:10.000Z');
INSERT INTO usage_events VALUES (6, 'c-2', 1, 'recap', 'grok-4.6', 70, 7, 77, NULL, '2026-09-02 00:00:01');
INSERT INTO usage_events VALUES (7, 'c-2', 2, 'message', 'grok-4.6', 0, 0, 0, NULL, '2026-09-02T00:00:02Z');
INSERT INTO usage_events VALUES (8, 'c-2', 3, 'message', 'grok-4.6', -5, 1, 0, NULL, '2026-09-02T00:00:03Z');
INSERT INTO usage_events VALUES (9, 'c-2', 4, 'message', 'grok-4.6', 5, 1, 6, NULL, NULL);
