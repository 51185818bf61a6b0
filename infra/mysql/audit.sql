-- An option: who has written which row, by the account of the connection. Run it in the database of the action, by an
-- account that may create triggers; run it again after `mattermod migrate up`. The accounts of the action need no right to
-- `mm_audit`: a trigger runs with those of whoever has created it (SQL SECURITY is always DEFINER).
-- https://dev.mysql.com/doc/refman/8.4/en/create-trigger.html
-- Rows of it are yours to delete: DELETE FROM mm_audit WHERE at < NOW() - INTERVAL 90 DAY;

CREATE TABLE IF NOT EXISTS mm_audit (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at datetime(6) NOT NULL,
    account varchar(255) NOT NULL,
    change_of varchar(32) NOT NULL,
    change_is varchar(8) NOT NULL,
    k varchar(64) NOT NULL,
    repository varchar(255) NOT NULL,
    number int NOT NULL,
    state varchar(16) NOT NULL,
    KEY by_time (at),
    KEY by_row (change_of, k)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

DROP TRIGGER IF EXISTS mm_servers_insert;
CREATE TRIGGER mm_servers_insert AFTER INSERT ON mm_servers FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_servers', 'INSERT', NEW.k, CONCAT(CONVERT(NEW.owner USING utf8mb4), '/', CONVERT(NEW.repository USING utf8mb4)), NEW.number, NEW.state);

DROP TRIGGER IF EXISTS mm_servers_update;
CREATE TRIGGER mm_servers_update AFTER UPDATE ON mm_servers FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_servers', 'UPDATE', NEW.k, CONCAT(CONVERT(NEW.owner USING utf8mb4), '/', CONVERT(NEW.repository USING utf8mb4)), NEW.number, NEW.state);

DROP TRIGGER IF EXISTS mm_servers_delete;
CREATE TRIGGER mm_servers_delete AFTER DELETE ON mm_servers FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_servers', 'DELETE', OLD.k, CONCAT(CONVERT(OLD.owner USING utf8mb4), '/', CONVERT(OLD.repository USING utf8mb4)), OLD.number, OLD.state);

DROP TRIGGER IF EXISTS mm_picks_insert;
CREATE TRIGGER mm_picks_insert AFTER INSERT ON mm_picks FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_picks', 'INSERT', NEW.k, NEW.repository, NEW.number, NEW.state);

DROP TRIGGER IF EXISTS mm_picks_update;
CREATE TRIGGER mm_picks_update AFTER UPDATE ON mm_picks FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_picks', 'UPDATE', NEW.k, NEW.repository, NEW.number, NEW.state);

DROP TRIGGER IF EXISTS mm_picks_delete;
CREATE TRIGGER mm_picks_delete AFTER DELETE ON mm_picks FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_picks', 'DELETE', OLD.k, OLD.repository, OLD.number, OLD.state);

DROP TRIGGER IF EXISTS mm_approvals_insert;
CREATE TRIGGER mm_approvals_insert AFTER INSERT ON mm_approvals FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_approvals', 'INSERT', NEW.k, NEW.repository, NEW.number, '');

DROP TRIGGER IF EXISTS mm_approvals_update;
CREATE TRIGGER mm_approvals_update AFTER UPDATE ON mm_approvals FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_approvals', 'UPDATE', NEW.k, NEW.repository, NEW.number, '');

DROP TRIGGER IF EXISTS mm_approvals_delete;
CREATE TRIGGER mm_approvals_delete AFTER DELETE ON mm_approvals FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_approvals', 'DELETE', OLD.k, OLD.repository, OLD.number, '');

DROP TRIGGER IF EXISTS mm_ledger_insert;
CREATE TRIGGER mm_ledger_insert AFTER INSERT ON mm_ledger FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_ledger', 'INSERT', NEW.k, NEW.repository, NEW.number, NEW.state);

DROP TRIGGER IF EXISTS mm_ledger_update;
CREATE TRIGGER mm_ledger_update AFTER UPDATE ON mm_ledger FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_ledger', 'UPDATE', NEW.k, NEW.repository, NEW.number, NEW.state);

DROP TRIGGER IF EXISTS mm_ledger_delete;
CREATE TRIGGER mm_ledger_delete AFTER DELETE ON mm_ledger FOR EACH ROW
    INSERT INTO mm_audit (at, account, change_of, change_is, k, repository, number, state)
    VALUES (UTC_TIMESTAMP(6), USER(), 'mm_ledger', 'DELETE', OLD.k, OLD.repository, OLD.number, OLD.state);
