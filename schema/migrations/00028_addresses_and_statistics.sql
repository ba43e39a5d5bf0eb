-- Addresses are compared byte for byte, and an import leaves statistics.

-- +goose Up

-- Only ASCII letters are lowered, as in schema/email: lower() of most collations makes i of U+0130, k of U+212A, and one address of
-- two. In collation "C" only A to Z are letters: https://www.postgresql.org/docs/current/collation.html
alter table people drop constraint people_email_check;
alter table people add constraint people_email_check check (email = lower(email collate "C") and email like '_%@_%');
