from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("alerts", "0009_notifications")]

    operations: ClassVar = []
