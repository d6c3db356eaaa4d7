"""Calls about storages: folders and buckets from which the server itself serves images."""

from __future__ import annotations

from tenth.label_studio.http import Connection, Json


class StorageCalls:
    """The part of the client that deals with local folders and S3 buckets."""

    connection: Connection

    def create_local_storage(self, project: int, path: str, *, title: str = "Tenth crops") -> Json:
        """Let the server serve the files below `path` to members of the project; done once for a path.

        Parameters
        ----------
        project : int
            Project id.
        path : str
            Folder as the server sees it, below its ``LOCAL_FILES_DOCUMENT_ROOT``.
        title : str, optional
            Name in the project's settings.

        Raises
        ------
        LabelStudioRefused
            Status 400 when the folder is missing there, or not strictly below the document root.
        """
        return self._ensure("localfiles", project, {"path": path}, {"title": title, "use_blob_urls": True})

    def create_s3_storage(
        self,
        project: int,
        bucket: str,
        *,
        prefix: str = "",
        access_key: str = "",
        secret_key: str = "",
        region: str = "",
        endpoint: str = "",
        presign_minutes: int = 60,
        title: str = "Tenth crops",
    ) -> Json:
        """Let the server sign ``s3://bucket/…`` addresses in task data; done once for bucket and prefix.

        Parameters
        ----------
        project : int
            Project id.
        bucket, prefix : str
            What the storage covers.
        access_key, secret_key, region, endpoint : str, optional
            How the server signs in; empty ones are its own defaults.
        presign_minutes : int, optional
            How long a signed address lives.
        title : str, optional
            Name in the project's settings.

        Raises
        ------
        LabelStudioRefused
            When the server cannot read the bucket.
        """
        settings = {
            "title": title,
            "use_blob_urls": True,
            "presign": True,
            "presign_ttl": presign_minutes,
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "region_name": region,
            "s3_endpoint": endpoint,
        }
        given = {name: value for name, value in settings.items() if value != ""}
        return self._ensure("s3", project, {"bucket": bucket, "prefix": prefix}, given)

    def _ensure(self, kind: str, project: int, identity: Json, settings: Json) -> Json:
        path = f"/api/storages/{kind}/"
        known: list[Json] = self.connection.json("GET", path, params={"project": project})
        for storage in known:
            if all((storage.get(name) or "") == value for name, value in identity.items()):
                return storage
        payload = {"project": project, **identity, **settings}
        created: Json = self.connection.json("POST", path, json=payload)
        return created
