-- The versions of each customer with the time each was valid, and the last known state of each order.
create or replace temp view customer_versions as
select
    *,
    md5(customer_id || '|' || strftime(updated_at, '%Y-%m-%d %H:%M:%S')) as customer_key,
    updated_at as valid_from,
    lead(updated_at) over (partition by customer_id order by updated_at) as valid_to
from (select distinct on (customer_id, updated_at) * from clean_customers);

create or replace temp view last_orders as
select arg_max(o, o.updated_at) as o from clean_orders o group by o.order_id;

create or replace temp view last_stores as
select arg_max(s, s.extract_date) as s from clean_stores s group by s.store_id;
