"""Deletes through Django, looks through Django, undeletes in SQL.

Runs twice: MODE=soft on a database with every table registered, and MODE=real
on one where DELETE is a DELETE.  What Django says is written out for ../run to
compare; what only a soft delete can do is checked here.
"""
import json
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django  # noqa: E402
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models import Count, Exists, F, OuterRef, ProtectedError, RestrictedError, Sum

django.setup()
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from shop.models import (Agent, Album, Article, Box, Customer, Department, Employee, Line, Note,  # noqa: E402
                         Order, Place, Product, Profile, Region, Restaurant, Shelf, Song, Tag, Waiter)

SOFT = os.environ["MODE"] == "soft"
title = ""


def tell(**line):
    print(json.dumps(line, default=str), flush=True)


def says(name, call):
    """What Django answers, or raises: the twin must say the same."""
    try:
        with transaction.atomic():
            value = call()
            if hasattr(value, "__iter__") and not isinstance(value, (str, dict)):
                value = list(value)
    except Exception as error:  # whatever it is, it is compared
        value = [type(error).__name__, str(error)]
    tell(name=f"{title}: {name}", value=value)


def check(name, ok, detail=None):
    tell(name=f"{title}: {name}", ok=bool(ok), detail=None if ok else detail)


def sql(statement, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchone()[0] if cursor.description else None


def snapshot():
    return json.loads(sql("SELECT orm.snapshot()::text"))


def difference(before, after):
    return {table: {"lost": [r for r in before[table] if r not in after[table]],
                    "new": [r for r in after[table] if r not in before[table]]}
            for table in before if before[table] != after[table]}


def same(name, before):
    found = difference(before, snapshot())
    check(name, not found, found)


scenarios = []


def scenario(name):
    return lambda function: scenarios.append((name, function))


def run():
    global title
    for title, function in scenarios:
        call_command("flush", database="load", verbosity=0, interactive=False)
        ContentType.objects.clear_cache()
        call_command("loaddata", "shop", database="load", verbosity=0)
        before = snapshot()
        undo = function()
        says("whole database", snapshot)
        if SOFT and undo:
            try:
                undo(before)
            except DatabaseError as error:
                check("undeleted", False, str(error))


def undeletes(*calls):
    """Each is a call of undelete; after the last all must be as before."""
    def undo(before):
        for call in calls:
            sql(f"SELECT {call}")
        same("undeleted", before)
    return undo


WHOLE = "orm.undelete_last(1)"


def look():
    says("count", lambda: [m.objects.count() for m in (Customer, Profile, Order, Line, Note, Tag, Product)])
    says("get", lambda: Customer.objects.get(pk=1).name)
    says("first and last", lambda: [Order.objects.order_by("pk").first().pk, Order.objects.order_by("pk").last().pk])
    says("exists", lambda: Order.objects.filter(customer_id=1).exists())
    says("in_bulk", lambda: sorted(Order.objects.in_bulk([1, 2, 3, 4])))
    says("aggregate", lambda: Line.objects.aggregate(Sum("quantity"), Count("order", distinct=True)))
    says("annotate", lambda: Tag.objects.annotate(n=Count("order")).order_by("pk").values_list("name", "n"))
    says("values over a join", lambda: Line.objects.order_by("pk").values_list("order__customer__name", "product__name"))
    says("outer join", lambda: Customer.objects.order_by("pk").values_list("name", "profile__email", "region__name"))
    says("reverse relations", lambda: [[c.name, [o.number for o in c.orders.order_by("pk")], [n.text for n in c.notes.all()]]
                                       for c in Customer.objects.order_by("pk")])
    says("prefetch", lambda: [[o.number, sorted(t.name for t in o.tags.all()), sorted(p.name for p in o.products.all())]
                              for o in Order.objects.order_by("pk").prefetch_related("tags", "products")])
    says("select_related", lambda: [[o.number, o.customer.name, o.agent.name]
                                    for o in Order.objects.order_by("pk").select_related("customer", "agent")])
    says("Exists", lambda: Customer.objects.filter(Exists(Order.objects.filter(customer=OuterRef("pk")))).order_by("pk")
         .values_list("pk", flat=True))
    says("exclude", lambda: Product.objects.exclude(line__order__customer=1).order_by("pk").values_list("name", flat=True))
    says("union", lambda: Tag.objects.values_list("name").union(Product.objects.values_list("name")).order_by("name"))
    says("iterator", lambda: [c.name for c in Customer.objects.order_by("pk").iterator(chunk_size=1)])
    says("raw", lambda: [c.name for c in Customer.objects.raw("SELECT * FROM shop_customer ORDER BY id")])
    says("select_for_update", lambda: [c.name for c in Customer.objects.select_for_update().order_by("pk")])
    says("generic relation", lambda: [[n.text, n.about and str(n.about.pk)] for n in Note.objects.order_by("pk")])


@scenario("nothing deleted")
def nothing():
    look()


@scenario("instance.delete()")
def instance():
    customer = Customer.objects.get(pk=1)
    stale = Customer.objects.get(pk=1)
    says("answer", customer.delete)
    says("its key", lambda: customer.pk)
    look()
    says("refresh_from_db", stale.refresh_from_db)
    says("stale save(update_fields)", lambda: stale.save(update_fields=["name"]))
    says("stale update", lambda: Customer.objects.filter(pk=1).update(name="x"))
    says("F update", lambda: Line.objects.update(quantity=F("quantity")))
    says("stale delete", stale.delete)
    says("new reference", lambda: Order.objects.create(customer_id=1, number="Z1").pk and
         transaction.get_connection().check_constraints())

    def undo(before):
        connection.ensure_connection()
        del connection.connection.notices[:]
        sql("SELECT softdelete_undelete('shop_customer', 1, cascade := true)")
        notices = "".join(connection.connection.notices)
        check("WARNING names what no foreign key ties to the root",
              "WARNING" in notices and "shop_note" in notices and "softdelete_undelete_deletion(" in notices, notices)
        found = difference(before, snapshot())
        check("undelete with cascade brings all but generic relations",
              list(found) == ["shop_note"] and not found["shop_note"]["new"], found)
        sql(f"SELECT {WHOLE}")
        same("undelete of the deletion brings these", before)
        again = Customer.objects.get(pk=1)
        check("through Django", [o.number for o in again.orders.order_by("pk")] == ["A1", "A2"] and
              [n.text for n in again.notes.all()] == ["of ada"])
    return undo


@scenario("queryset.delete()")
def queryset():
    says("answer", Customer.objects.filter(pk__in=[1, 4]).delete)
    look()
    says("again", Customer.objects.filter(pk__in=[1, 4]).delete)
    says("none", Customer.objects.none().delete)
    return undeletes("softdelete_undelete('shop_customer', ARRAY[1, 4]::bigint[], cascade := true)", WHOLE)


@scenario("queryset.delete() over a join")
def joined():
    says("answer", Line.objects.filter(order__customer__name="ada").delete)
    look()
    return undeletes("softdelete_undelete('shop_line', ARRAY[1, 2, 3]::bigint[])")


@scenario("everything")
def everything():
    for model in (Note, Line, Order, Profile, Customer, Product, Tag, Region):
        says(model.__name__, model.objects.all().delete)
    look()

    return undeletes("orm.undelete_last(8)")


@scenario("SET_NULL")
def set_null():
    says("answer", Region.objects.get(pk=1).delete)
    says("customers", lambda: Customer.objects.order_by("pk").values_list("pk", "region"))
    says("without region", lambda: Customer.objects.filter(region=None).count())
    return undeletes("softdelete_undelete('shop_region', 1, cascade := true)")


@scenario("SET_NULL and CASCADE through a manager that hides")
def manager():
    says("answer", Region.objects.filter(name="east").delete)
    says("articles", lambda: [Article.objects.count(), Article.everything.count()])
    says("custom manager deletes", Article.objects.all().delete)
    return undeletes(WHOLE, "softdelete_undelete('shop_region', 3, cascade := true)")


@scenario("SET_DEFAULT")
def set_default():
    says("answer", Agent.objects.get(pk=2).delete)
    says("orders", lambda: Order.objects.order_by("pk").values_list("pk", "agent"))
    return undeletes("softdelete_undelete('shop_agent', 2, cascade := true)")


@scenario("PROTECT and RESTRICT")
def protect():
    def named(instance, error, attribute):
        try:
            instance.delete()
        except error as refusal:
            return sorted((str(o), o.pk) for o in getattr(refusal, attribute))

    says("PROTECT", lambda: named(Product.objects.get(pk=1), ProtectedError, "protected_objects"))
    says("RESTRICT", lambda: named(Album.objects.get(pk=1), RestrictedError, "restricted_objects"))
    says("product without lines", Product.objects.get(pk=3).delete)
    says("lines go", Line.objects.filter(product=1).delete)
    says("deleted lines do not protect", Product.objects.get(pk=1).delete)
    says("nor songs", lambda: [Song.objects.all().delete(), Album.objects.all().delete()])
    return undeletes(WHOLE, "softdelete_undelete('shop_product', 1, cascade := true)",
                     "softdelete_undelete('shop_line', ARRAY[1, 3, 5]::bigint[])",
                     "softdelete_undelete('shop_product', 3)")


@scenario("many-to-many")
def many_to_many():
    order = Order.objects.get(pk=1)
    says("remove", lambda: order.tags.remove(1))
    says("tags", lambda: order.tags.values_list("name", flat=True))
    says("set", lambda: Order.objects.get(pk=2).tags.set([]))
    says("other tags", lambda: Order.objects.get(pk=2).tags.values_list("name", flat=True))
    says("clear from the other side", lambda: Tag.objects.get(pk=1).order_set.clear())
    says("through a model", lambda: order.products.remove(2))
    says("of itself", lambda: Product.objects.get(pk=2).alternatives.clear())
    look()
    says("tag", Tag.objects.get(pk=2).delete)
    says("tags left", lambda: [Tag.objects.count(), order.tags.count()])
    return undeletes("orm.undelete_last(6)")


@scenario("many-to-many: both ends")
def both_ends():
    says("tag", Tag.objects.get(pk=1).delete)
    says("order", Order.objects.get(pk=1).delete)
    return undeletes(WHOLE, "softdelete_undelete('shop_tag', 1, cascade := true)")


@scenario("many-to-many: clear")
def clear():
    says("clear", lambda: Order.objects.get(pk=1).tags.clear())
    says("tags", lambda: [Order.objects.get(pk=1).tags.count(), Tag.objects.count()])
    return undeletes(WHOLE)


@scenario("multi-table inheritance")
def inheritance():
    says("child", Restaurant.objects.get(name="inn").delete)
    says("parents", lambda: Place.objects.order_by("pk").values_list("name", "restaurant__stars"))
    says("has no child", lambda: Place.objects.get(pk=2).restaurant)
    says("waiters", lambda: Waiter.objects.values_list("name", "restaurant__name"))
    says("parent", Place.objects.get(pk=3).delete)
    says("restaurants", lambda: Restaurant.objects.count())
    return undeletes("softdelete_undelete('shop_restaurant', 3, with_parents := true, cascade := true)",
                     "softdelete_undelete('shop_place', 1, cascade := true)")


@scenario("multi-table inheritance: keep_parents")
def keep_parents():
    says("answer", lambda: Restaurant.objects.get(pk=1).delete(keep_parents=True))
    says("place", lambda: Place.objects.get(pk=1).name)
    says("restaurant", lambda: Place.objects.get(pk=1).restaurant)
    return undeletes("softdelete_undelete('shop_restaurant', 1, cascade := true)")


@scenario("OneToOne")
def one_to_one():
    says("answer", Profile.objects.get(pk=2).delete)
    says("reverse", lambda: Customer.objects.get(pk=2).profile)
    says("isnull", lambda: Customer.objects.filter(profile=None).order_by("pk").values_list("pk", flat=True))
    return undeletes("softdelete_undelete('shop_profile', 2)")


@scenario("creating")
def creating():
    says("delete", lambda: [Tag.objects.get(pk=3).delete(), Profile.objects.get(pk=4).delete()])
    says("get_or_create", lambda: [(t.pk, made) for t, made in [Tag.objects.get_or_create(name="obsolete")]])
    says("get_or_create again", lambda: [(t.pk, made) for t, made in [Tag.objects.get_or_create(name="obsolete")]])
    says("delete it", lambda: Tag.objects.filter(name="obsolete").delete())
    says("update_or_create", lambda: [(t.pk, made) for t, made in
                                      [Tag.objects.update_or_create(name="obsolete", defaults={"colour": "grey"})]])
    says("bulk_create", lambda: [t.pk for t in Tag.objects.bulk_create([Tag(name="x"), Tag(name="y")])])
    says("bulk_create(ignore_conflicts)", lambda: len(Region.objects.bulk_create(
        [Region(name="north"), Region(name="west")], ignore_conflicts=True)))
    says("regions", lambda: Region.objects.order_by("name").values_list("name", flat=True))
    says("bulk_update", lambda: Tag.objects.bulk_update([Tag(pk=3, colour="z"), Tag(pk=1, colour="z")], ["colour"]))
    says("tags", lambda: Tag.objects.order_by("pk").values_list("name", "colour"))
    says("duplicate of a live row", lambda: Region.objects.create(name="north"))


@scenario("transactions")
def transactions():
    def rolled_back():
        try:
            with transaction.atomic():
                Customer.objects.get(pk=1).delete()
                raise KeyError
        except KeyError:
            return Customer.objects.count()

    def in_part():
        with transaction.atomic():
            Note.objects.get(pk=1).delete()
            try:
                with transaction.atomic():
                    Note.objects.all().delete()
                    raise KeyError
            except KeyError:
                return Note.objects.count()

    def on_commit():
        done = []
        with transaction.atomic():
            Tag.objects.filter(pk=3).delete()
            transaction.on_commit(lambda: done.append(Tag.objects.count()))
        return done

    says("rolled back", rolled_back)
    says("savepoint rolled back", in_part)
    value = on_commit()
    says("on_commit", lambda: value)
    return undeletes(WHOLE, "softdelete_undelete('shop_note', 1)")


# ---- what stands or falls with the keys of deleted rows being free

@scenario("keys")
def keys():
    says("delete", lambda: [Region.objects.get(name="south").delete(), Profile.objects.get(pk=4).delete(),
                            Order.objects.get(pk=3).delete(), Note.objects.get(pk=3).delete()])
    says("unique value", lambda: Region.objects.create(name="south").pk)
    says("get_or_create", lambda: Region.objects.get_or_create(name="south")[1])
    says("OneToOne", lambda: Profile.objects.create(customer_id=4, email="other@example.org").pk)
    says("two unique fields", lambda: [Profile.objects.all().delete(),
                                       Profile.objects.create(customer_id=4, email="c4@example.org").pk])
    says("update_or_create", lambda: [Order.objects.update_or_create(number="B1", defaults={"customer_id": 4})[1]])
    says("bulk_create(ignore_conflicts)", lambda: [len(Region.objects.bulk_create(
        [Region(name="south"), Region(name="west")], ignore_conflicts=True)), Region.objects.count()])
    says("bulk_create(ignore_conflicts) of a deleted one", lambda: [
        Region.objects.filter(name="west").delete(),
        len(Region.objects.bulk_create([Region(name="west")], ignore_conflicts=True)),
        Region.objects.filter(name="west").count()])
    says("unique_together", lambda: [Line.objects.filter(order=1, product=1).delete(),
                                     Line.objects.create(order_id=1, product_id=1).pk])
    says("many-to-many: remove and add", lambda: [Order.objects.get(pk=1).tags.remove(1),
                                                  Order.objects.get(pk=1).tags.add(1),
                                                  Order.objects.get(pk=1).tags.count()])
    says("many-to-many: set there and back", lambda: [Order.objects.get(pk=1).tags.set([]),
                                                      Order.objects.get(pk=1).tags.set([1, 2]),
                                                      Order.objects.get(pk=1).tags.count()])
    says("validate_unique", lambda: Region(name="east").validate_unique())
    says("save with a key that no foreign key refers to", lambda: [
        Note.objects.create(pk=3, text="again", content_type=ContentType.objects.get_for_model(Customer), object_id=4).pk,
        Note.objects.filter(pk=3).count()])


@scenario("keys: a stale instance is saved again")
def stale_save():
    stale = Note.objects.get(pk=1)
    says("delete", Note.objects.get(pk=1).delete)
    says("save", stale.save)
    says("notes", lambda: Note.objects.order_by("pk").values_list("pk", "text"))


# ---- what stands or falls with deferred constraints

@scenario("deferred: a cycle")
def cycle():
    says("answer", Department.objects.get(pk=2).delete)
    says("what is left", lambda: [Department.objects.count(), Employee.objects.count()])
    return undeletes("softdelete_undelete('shop_department', 2, cascade := true)")


@scenario("deferred: DO_NOTHING")
def deferred():
    def late():
        with transaction.atomic():
            Shelf.objects.get(pk=1).delete()
            return Box.objects.filter(shelf_id=1).delete()

    def refused():
        order = []
        try:
            with transaction.atomic():
                Shelf.objects.get(pk=2).delete()
                order.append("statement passed")
        except IntegrityError as error:
            order.append(str(error))
        return order

    Box.objects.create(shelf_id=2)
    value = refused()
    says("refused at the commit", lambda: value)
    says("in time for the commit", late)
    says("check_constraints", lambda: [Shelf.objects.get(pk=2).delete(), connection.check_constraints()])


def soft_only():
    global title
    title = "the other connection"
    load = connections["load"]
    call_command("flush", database="load", verbosity=0, interactive=False)
    call_command("loaddata", "shop", database="load", verbosity=0)

    def physical(table):
        with load.cursor() as cursor:
            cursor.execute(f"SET softdelete.show_deleted = on; SELECT count(*) FROM {table}")
            count = cursor.fetchone()[0]
            cursor.execute("RESET softdelete.show_deleted")
            return count

    Tag.objects.get(pk=3).delete()
    check("a deleted row is there", physical("shop_tag") == 3)
    check("and hidden", Tag.objects.using("load").count() == 2)
    Tag.objects.using("load").filter(pk=2).delete()
    check("enabled = off deletes really", physical("shop_tag") == 2)
    call_command("flush", database="load", verbosity=0, interactive=False)
    check("flush takes deleted rows too", physical("shop_tag") == 0 and physical("shop_customer") == 0)
    call_command("loaddata", "shop", database="load", verbosity=0)
    call_command("loaddata", "shop", database="load", verbosity=0)
    check("fixtures load over fixtures", Customer.objects.count() == 4)
    Note.objects.all().delete()
    check("uses of enabled = off are on record", sql("SELECT count(*) FROM softdelete.events WHERE event = 'bypass'") > 0)

    title = "migrations"
    try:
        call_command("makemigrations", "shop", check=True, dry_run=True, verbosity=0)
        check("Django sees no change to make", True)
    except SystemExit:
        check("Django sees no change to make", False)
    call_command("migrate", "shop", "0002", database="load", verbosity=0)
    Tag.objects.filter(pk=1).only("name").delete()
    call_command("migrate", "shop", database="load", verbosity=0)
    check("back and forth over a deleted row", Tag.objects.count() == 1, Tag.objects.count())
    sql("SELECT softdelete_undelete('shop_tag', 1)")
    check("and undeleted with the new column", Tag.objects.get(pk=1).colour == "")
    call_command("migrate", "shop", "zero", database="load", verbosity=0)
    call_command("migrate", database="load", verbosity=0)
    call_command("loaddata", "shop", database="load", verbosity=0)
    Customer.objects.get(pk=1).delete()
    check("to zero, and from there", Customer.objects.count() == 1 and physical("shop_customer") == 4)


call_command("migrate", database="load", verbosity=0)
with connection.cursor() as setup:
    setup.execute(open(os.path.join(os.path.dirname(__file__), "..", "snapshot.sql")).read())
run()
if SOFT:
    soft_only()
