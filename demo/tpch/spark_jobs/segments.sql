-- The day's revenue of one market segment, which may have bought nothing; each copy has its own.
SELECT count(*) AS orders, coalesce(sum(revenue), 0) AS revenue
FROM orders
JOIN customer ON c_custkey = o_custkey
WHERE ds = :ds AND c_mktsegment = :segment
