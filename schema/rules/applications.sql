create or replace trigger names before update on applications for each row
    when ((new.connector, new.instance) is distinct from (old.connector, old.instance))
    execute function claimed_names_immutable(); -- see accounts.sql
