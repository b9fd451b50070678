select md5(s.store_id::varchar) as store_key, s.store_id, s.code, s.name, s.country, s.currency, s.timezone, s.opened_on
from (select unnest(s) from last_stores) s
