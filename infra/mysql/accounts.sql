-- An option: one account for each repository that shares the database, so that the audit says whose workflow it was, and
-- one account can be locked alone. It keeps nobody from the rows of another repository. Fill in <database>, <account> and
-- <password>, and run it for each repository. It may not migrate: that is for an account of its own.

CREATE USER IF NOT EXISTS '<account>'@'%' IDENTIFIED BY '<password>' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.PullRequests TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.Issues TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.Spinmint TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_ledger TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_leases TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_lists TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_picks TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_servers TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_sweeps TO '<account>'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `<database>`.mm_approvals TO '<account>'@'%';
GRANT SELECT ON `<database>`.mm_schema TO '<account>'@'%';
-- Lock it when its repository must not write any more: ALTER USER '<account>'@'%' ACCOUNT LOCK;
