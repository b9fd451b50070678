select md5(p.product_id::varchar) as product_key, p.product_id, p.sku, p.name, p.category, p.list_price_eur, p.cost_eur, p.active
from (select unnest(arg_max(p, p.extract_date)) from clean_products p group by p.product_id) p
