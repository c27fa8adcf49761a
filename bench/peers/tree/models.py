"""The three tables, for Django."""
from django.db import models


class P(models.Model):
    name = models.TextField()

    class Meta:
        db_table = "p"


class C(models.Model):
    p = models.ForeignKey(P, models.CASCADE)
    name = models.TextField()

    class Meta:
        db_table = "c"


class G(models.Model):
    c = models.ForeignKey(C, models.CASCADE)
    name = models.TextField()

    class Meta:
        db_table = "g"
