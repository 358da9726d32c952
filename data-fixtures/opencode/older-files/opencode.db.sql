CREATE TABLE session (id TEXT PRIMARY KEY, project_id TEXT NOT NULL, parent_id TEXT, directory TEXT NOT NULL, title TEXT NOT NULL, version TEXT NOT NULL,
  time_created INTEGER NOT NULL, time_updated INTEGER NOT NULL);
CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, time_created INTEGER NOT NULL, time_updated INTEGER NOT NULL, data TEXT NOT NULL);
CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT NOT NULL, session_id TEXT NOT NULL, time_created INTEGER NOT NULL, time_updated INTEGER NOT NULL, data TEXT NOT NULL);
INSERT INTO session VALUES ('ses_a', 'p', NULL, '/w/app', 'T', '1.2.0', 1788253200000, 1788253200000);
INSERT INTO message VALUES ('msg_1', 'ses_a', 1788253201000, 1788253201000, '{"role":"assistant","modelID":"claude-opus-4-8","providerID":"anthropic","mode":"build","agent":"build","path":{"cwd":"/w/app","root":"/w"},"time":{"created":1788253201000,"completed":1788253210000},"tokens":{"input":12,"output":600,"cache":{"read":0,"write":0},"total":612}}');
