from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import CASCADE, DO_NOTHING, PROTECT, RESTRICT, SET_DEFAULT, SET_NULL


class Region(models.Model):
    name = models.CharField(max_length=40, unique=True)


class Agent(models.Model):
    name = models.CharField(max_length=40)


class Note(models.Model):
    """Belongs to anything: no foreign key ties it to its owner."""

    text = models.CharField(max_length=40)
    content_type = models.ForeignKey(ContentType, CASCADE)
    object_id = models.BigIntegerField()
    about = GenericForeignKey()


class Customer(models.Model):
    name = models.CharField(max_length=40)
    region = models.ForeignKey(Region, SET_NULL, null=True)
    referrer = models.ForeignKey("self", CASCADE, null=True)
    notes = GenericRelation(Note)


class Profile(models.Model):
    customer = models.OneToOneField(Customer, CASCADE)
    email = models.CharField(max_length=40, unique=True)


class Tag(models.Model):
    name = models.CharField(max_length=40)
    colour = models.CharField(max_length=40, default="")


class Product(models.Model):
    name = models.CharField(max_length=40)
    active = models.BooleanField(default=True)
    alternatives = models.ManyToManyField("self")


class Order(models.Model):
    customer = models.ForeignKey(Customer, CASCADE, related_name="orders")
    agent = models.ForeignKey(Agent, SET_DEFAULT, default=1)
    number = models.CharField(max_length=40, unique=True)
    tags = models.ManyToManyField(Tag)
    products = models.ManyToManyField(Product, through="Line")
    notes = GenericRelation(Note)


class Line(models.Model):
    order = models.ForeignKey(Order, CASCADE)
    product = models.ForeignKey(Product, PROTECT)
    quantity = models.IntegerField(default=1)

    class Meta:
        unique_together = [("order", "product")]


class Place(models.Model):
    name = models.CharField(max_length=40)


class Restaurant(Place):
    stars = models.IntegerField(default=0)


class Waiter(models.Model):
    restaurant = models.ForeignKey(Restaurant, CASCADE)
    name = models.CharField(max_length=40)


class Album(models.Model):
    artist = models.CharField(max_length=40)


class Song(models.Model):
    album = models.ForeignKey(Album, RESTRICT)


class Department(models.Model):
    """With Employee a cycle, which Django leaves to deferred constraints."""

    head = models.ForeignKey("Employee", CASCADE, null=True, related_name="+")


class Employee(models.Model):
    department = models.ForeignKey(Department, CASCADE)


class Shelf(models.Model):
    pass


class Box(models.Model):
    """Whoever deletes the shelf sees to the boxes before the commit."""

    shelf = models.ForeignKey(Shelf, DO_NOTHING)


class PublishedManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(published=True)


class Article(models.Model):
    title = models.CharField(max_length=40)
    published = models.BooleanField(default=True)
    region = models.ForeignKey(Region, CASCADE, null=True)
    everything = models.Manager()
    objects = PublishedManager()
