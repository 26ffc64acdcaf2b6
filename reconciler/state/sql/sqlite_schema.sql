-- An empty state in SQLite: the tables that tables.py describes, and their first rows. A test compares the two.
CREATE TABLE meta (
	id INTEGER NOT NULL CONSTRAINT meta_single CHECK (id = 1),
	lineage VARCHAR(32) NOT NULL,
	serial INTEGER NOT NULL,
	settings TEXT DEFAULT '[]' NOT NULL,
	routing TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE revisions (
	serial INTEGER NOT NULL,
	at VARCHAR(40) NOT NULL,
	actor TEXT NOT NULL,
	actor_source TEXT NOT NULL,
	git_commit TEXT NOT NULL,
	tool_version TEXT NOT NULL,
	plan_digest TEXT NOT NULL,
	added INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	destroyed INTEGER NOT NULL,
	note TEXT NOT NULL,
	chain VARCHAR(80) DEFAULT '' NOT NULL,
	PRIMARY KEY (serial)
);

CREATE TABLE sent (
	id VARCHAR(40) NOT NULL,
	at VARCHAR(40) NOT NULL,
	actor TEXT NOT NULL,
	actor_source TEXT NOT NULL,
	connector TEXT NOT NULL,
	host TEXT NOT NULL,
	message_id TEXT NOT NULL,
	sender TEXT NOT NULL,
	from_address TEXT NOT NULL,
	recipients INTEGER NOT NULL,
	accepted INTEGER NOT NULL,
	size BIGINT NOT NULL,
	result VARCHAR(20) NOT NULL,
	code INTEGER,
	enhanced VARCHAR(20) NOT NULL,
	sentence TEXT NOT NULL,
	copy TEXT NOT NULL,
	application TEXT DEFAULT '' NOT NULL,
	asked_connector TEXT DEFAULT '' NOT NULL,
	reason TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX sent_connector ON sent (connector, at);

CREATE INDEX sent_at ON sent (at);

CREATE INDEX sent_actor ON sent (actor, at);

CREATE INDEX sent_message ON sent (message_id);

CREATE INDEX sent_application ON sent (application, at);

CREATE TABLE attempts (
	id VARCHAR(40) NOT NULL,
	at VARCHAR(40) NOT NULL,
	actor TEXT NOT NULL,
	actor_source TEXT NOT NULL,
	command VARCHAR(20) NOT NULL,
	connector TEXT NOT NULL,
	protocol VARCHAR(10) NOT NULL,
	reference TEXT NOT NULL,
	identity TEXT NOT NULL,
	host TEXT NOT NULL,
	port INTEGER NOT NULL,
	security VARCHAR(20) NOT NULL,
	username TEXT NOT NULL,
	outcome VARCHAR(20) NOT NULL,
	error_class TEXT NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX attempts_connector ON attempts (connector, at);

CREATE INDEX attempts_at ON attempts (at);

CREATE TABLE credential_uses (
	id VARCHAR(80) NOT NULL,
	at VARCHAR(40) NOT NULL,
	reference TEXT NOT NULL,
	identity TEXT NOT NULL,
	host TEXT NOT NULL,
	port INTEGER NOT NULL,
	security VARCHAR(20) NOT NULL,
	username TEXT NOT NULL,
	key_id VARCHAR(40) NOT NULL,
	mac VARCHAR(80) NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE lock (
	id INTEGER NOT NULL CONSTRAINT lock_single CHECK (id = 1),
	token VARCHAR(40) NOT NULL,
	holder TEXT NOT NULL,
	operation TEXT NOT NULL,
	host TEXT NOT NULL,
	since VARCHAR(40),
	expires VARCHAR(40),
	PRIMARY KEY (id)
);

CREATE TABLE resources (
	uid VARCHAR(40) NOT NULL,
	kind VARCHAR(40) NOT NULL,
	name VARCHAR(100) NOT NULL,
	spec TEXT NOT NULL,
	digest VARCHAR(80) NOT NULL,
	created_at VARCHAR(40) NOT NULL,
	modified_at VARCHAR(40) NOT NULL,
	modified_by TEXT NOT NULL,
	modified_serial INTEGER NOT NULL,
	PRIMARY KEY (uid),
	CONSTRAINT resources_address UNIQUE (kind, name),
	FOREIGN KEY(modified_serial) REFERENCES revisions (serial)
);

CREATE TABLE history (
	serial INTEGER NOT NULL,
	position INTEGER NOT NULL,
	uid VARCHAR(40) NOT NULL,
	kind VARCHAR(40) NOT NULL,
	name VARCHAR(100) NOT NULL,
	action VARCHAR(20) NOT NULL,
	spec TEXT,
	renamed_from VARCHAR(100) NOT NULL,
	PRIMARY KEY (serial, position),
	FOREIGN KEY(serial) REFERENCES revisions (serial)
);

CREATE INDEX history_address ON history (kind, name);

CREATE INDEX history_uid ON history (uid);

CREATE TABLE routing_keys (
	role VARCHAR(10) NOT NULL,
	"key" TEXT NOT NULL,
	uid VARCHAR(40) NOT NULL,
	mark VARCHAR(40) NOT NULL,
	PRIMARY KEY (role, "key", uid),
	FOREIGN KEY(uid) REFERENCES resources (uid) ON DELETE CASCADE
);

CREATE INDEX routing_keys_uid ON routing_keys (uid);

CREATE TABLE fingerprints (
	uid VARCHAR(40) NOT NULL,
	reference TEXT NOT NULL,
	key_id VARCHAR(40) NOT NULL,
	mac VARCHAR(80) NOT NULL,
	PRIMARY KEY (uid, reference),
	FOREIGN KEY(uid) REFERENCES resources (uid) ON DELETE CASCADE
);

CREATE TABLE tests (
	uid VARCHAR(40) NOT NULL,
	passed BOOLEAN NOT NULL,
	at VARCHAR(40) NOT NULL,
	stage TEXT NOT NULL,
	error_class TEXT NOT NULL,
	summary TEXT NOT NULL,
	failing_since VARCHAR(40),
	facts TEXT DEFAULT '{}' NOT NULL,
	PRIMARY KEY (uid),
	FOREIGN KEY(uid) REFERENCES resources (uid) ON DELETE CASCADE
);

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO meta (id, lineage, serial) VALUES (1, '', 0);

INSERT INTO lock (id, token, holder, operation, host) VALUES (1, '', '', '', '');

INSERT INTO alembic_version (version_num) VALUES ('0005');
