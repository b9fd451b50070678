-- What hardly changes: stores, products, words to make names of. `roll(n, key, label)` is a die with n sides.
create or replace temp macro roll(n, key, label) as (hash(getvariable('seed'), key, label) % n)::bigint;

-- The store a customer usually buys in.
create or replace temp macro home_store(customer) as
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6][1 + roll(20, customer, 'home')]::bigint;

create or replace temp table word as
select
    ['Ada', 'Ben', 'Clara', 'Dario', 'Elif', 'Finn', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Kaja', 'Leon', 'Mira', 'Nils', 'Olga', 'Piotr',
     'Quentin', 'Rosa', 'Sven', 'Tilda', 'Umut', 'Vera', 'Wim', 'Xenia', 'Yara', 'Zoe'] as first_names,
    ['Adler', 'Bakker', 'Chevalier', 'Dvorak', 'Evans', 'Fischer', 'Garnier', 'Hughes', 'Iversen', 'Jansen', 'Kowalski', 'Lindqvist',
     'Moreau', 'Nowak', 'Okafor', 'Peters', 'Quirk', 'Rossi', 'Schulz', 'Turner', 'Ueda', 'Visser', 'Wagner', 'Young', 'Zielinska'] as last_names,
    ['Trail', 'Harbour', 'Meadow', 'Summit', 'Copper', 'Willow', 'Granite', 'Linen', 'Amber', 'Cobalt', 'Maple', 'Slate'] as styles,
    -- Share of the day's orders by local hour, 100 entries.
    [0, 1, 2, 6, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9, 9, 9, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12, 12, 13, 13, 13, 13, 13,
     14, 14, 14, 14, 15, 15, 15, 15, 15, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 17, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19,
     19, 19, 20, 20, 20, 20, 20, 20, 20, 20, 20, 21, 21, 21, 21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 23, 23, 23, 23, 0] as hours;

create or replace temp table store(store_id, code, name, country, currency, timezone, opened_on, cities, price_factor, base_rate) as
from (values
    (1::bigint, 'DE', 'ShopFlow Germany', 'DE', 'EUR', 'Europe/Berlin', date '2019-03-01',
        ['Berlin', 'Hamburg', 'Köln', 'München', 'Leipzig'], 1000::bigint, 1000000::bigint),
    (2::bigint, 'FR', 'ShopFlow France', 'FR', 'EUR', 'Europe/Paris', date '2020-05-11',
        ['Paris', 'Lyon', 'Nantes', 'Orléans', 'Lille'], 1010, 1000000),
    (3::bigint, 'NL', 'ShopFlow Nederland', 'NL', 'EUR', 'Europe/Amsterdam', date '2020-09-01',
        ['Amsterdam', 'Utrecht', 'Gouda', 'Groningen'], 1000, 1000000),
    (4::bigint, 'UK', 'ShopFlow United Kingdom', 'GB', 'GBP', 'Europe/London', date '2021-02-15',
        ['London', 'Leeds', 'Bristol', 'Glasgow'], 880, 1148000),
    (5::bigint, 'US', 'ShopFlow America', 'US', 'USD', 'America/New_York', date '2023-06-01',
        ['New York', 'Boston', 'Austin', 'Portland'], 1120, 861000),
    (6::bigint, 'PL', 'ShopFlow Polska', 'PL', 'PLN', 'Europe/Warsaw', date '2024-01-08',
        ['Warszawa', 'Kraków', 'Gdańsk', 'Łódź'], 4290, 235000));

create or replace temp table product as
select
    i + 1 as product_id,
    printf('SF-%04d', i + 1) as sku,
    styles[1 + roll(12, i, 'style')] || ' ' || ['Jacket', 'Kettle', 'Lamp', 'Backpack', 'Chair', 'Headphones', 'Notebook', 'Puzzle'][1 + i % 8]
        || ' ' || (i // 8 + 1) as name,
    ['clothing', 'kitchen', 'lighting', 'outdoor', 'furniture', 'audio', 'office', 'toys'][1 + i % 8] as category,
    [5900, 3400, 4200, 7400, 12900, 8900, 900, 1900][1 + i % 8] + 100 * roll([60, 30, 60, 50, 160, 90, 12, 25][1 + i % 8], i, 'price')
        - 1 as list_cents,
    50 + roll(25, i, 'cost') as cost_percent,
    roll(21, i, 'repriced') as repriced_at
from range(240) r(i), word;

-- A product's price changes every three weeks, each on its own day.
create or replace temp table price as
select
    c.day,
    p.product_id,
    p.list_cents * (95 + 5 * roll(3, p.product_id * 1000 + (c.day - date '2025-01-01' + p.repriced_at) // 21, 'step')) // 100 as list_cents,
    c.day - ((c.day - date '2025-01-01' + p.repriced_at) % 21)::integer as since
from calendar c, product p;
