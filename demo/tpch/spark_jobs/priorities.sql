-- The day's orders and lines by their priority.
SELECT o_orderpriority AS priority, count(*) AS orders, sum(lines) AS lines
FROM orders
WHERE ds = :ds
GROUP BY o_orderpriority
