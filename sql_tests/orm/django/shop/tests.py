"""Tests as an application has them; only the last two classes know softdelete."""
from django.db import connection
from django.test import TestCase, TransactionTestCase

from .models import Customer, Line, Order, Tag


def physical(table):
    """Rows that are there, deleted or not."""
    with connection.cursor() as cursor:
        cursor.execute("SET softdelete.show_deleted = on")
        cursor.execute(f"SELECT count(*) FROM {table}")
        count = cursor.fetchone()[0]
        cursor.execute("RESET softdelete.show_deleted")
    return count


class Fixture:
    fixtures = ["shop"]

    def test_delete(self):
        Customer.objects.get(pk=1).delete()
        self.assertEqual([Customer.objects.count(), Order.objects.count()], [1, 1])
        self.assertEqual(physical("shop_customer"), 1)

    def test_delete_again(self):
        self.test_delete()

    def test_unique(self):
        Order.objects.filter(number="A1").delete()
        Order.objects.create(customer_id=1, number="A1")
        Line.objects.create(order=Order.objects.get(number="A1"), product_id=1)

    def test_unique_again(self):
        self.test_unique()

    def test_untouched(self):
        self.assertEqual(physical("shop_customer"), 4)


class InTransactions(Fixture, TestCase):
    pass


class Committed(Fixture, TransactionTestCase):
    serialized_rollback = True


class FromTheFirstKey(Fixture, TransactionTestCase):
    serialized_rollback = True
    reset_sequences = True
    fixtures = []

    def setUp(self):
        for name in ("x", "y"):
            Tag.objects.create(name=name)

    def test_delete(self):
        self.assertEqual([tag.pk for tag in Tag.objects.order_by("pk")], [1, 2])
        Tag.objects.all().delete()
        self.assertEqual(physical("shop_tag"), 0)

    test_unique = test_unique_again = test_untouched = test_delete


class Serialized(TransactionTestCase):
    serialized_rollback = True

    def test_content_types(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_content_type WHERE app_label = 'shop'")
            self.assertGreater(cursor.fetchone()[0], 10)

    test_content_types_again = test_content_types


class SoftInTransactions(TestCase):
    """What the application does on top of soft delete is tested with it on."""
    fixtures = ["shop"]

    def setUp(self):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL softdelete.enabled = on")

    def test_undelete(self):
        Customer.objects.get(pk=2).delete()
        self.assertEqual([Customer.objects.count(), physical("shop_customer")], [2, 4])
        with connection.cursor() as cursor:
            cursor.execute("SELECT softdelete_undelete('shop_customer', 2, cascade := true)")
        self.assertEqual(Customer.objects.count(), 4)

    def test_untouched(self):
        self.assertEqual([Customer.objects.count(), physical("shop_customer")], [4, 4])


class SoftCommitted(TransactionTestCase):
    serialized_rollback = True
    fixtures = ["shop"]

    def setUp(self):
        with connection.cursor() as cursor:
            cursor.execute("SET softdelete.enabled = on")
        # before the test runner empties the tables
        self.addCleanup(lambda: connection.cursor().execute("RESET softdelete.enabled"))

    def test_delete(self):
        Customer.objects.get(pk=2).delete()
        self.assertEqual([Customer.objects.count(), physical("shop_customer")], [2, 4])

    def test_untouched(self):
        self.assertEqual([Customer.objects.count(), physical("shop_customer")], [4, 4])
