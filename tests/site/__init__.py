"""The composed house: configuration, settings, server, stores."""  # noqa: A005 -- tests mirror the rooms
