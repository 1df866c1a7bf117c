"""Entities as cities describe their things, each with an @context of its own: for round trips."""

from __future__ import annotations

from typing import Any

_BASE = "https://vocab.example/city/"
_OBSERVED = "2026-11-22T09:00:00Z"


def _context(*terms: str) -> dict[str, Any]:  # Any: a JSON-LD context
    return {"city": _BASE, **{term: f"city:{term}" for term in terms}}


def _measure(value: Any, unit: str, **more: Any) -> dict[str, Any]:  # Any: JSON
    return {"type": "Property", "value": value, "unitCode": unit, "observedAt": _OBSERVED, **more}


def _point(lon: float, lat: float) -> dict[str, Any]:  # Any: JSON
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}


def _link(target: str, **more: Any) -> dict[str, Any]:  # Any: JSON
    return {"type": "Relationship", "object": target, **more}


def _plain(value: Any, **more: Any) -> dict[str, Any]:  # Any: JSON
    return {"type": "Property", "value": value, **more}


def _texts(**languages: str) -> dict[str, Any]:  # Any: JSON
    return {"type": "LanguageProperty", "languageMap": languages}


PAYLOADS: list[dict[str, Any]] = [  # Any: JSON
    {
        "@context": _context(
            "AirQualityObserved", "no2", "pm10", "pm25", "airQualityIndex", "refPointOfInterest", "accuracy"
        ),
        "id": "urn:ngsi-ld:AirQualityObserved:gimhae-dongsang-1",
        "type": "AirQualityObserved",
        "no2": _measure(22.5, "GQ", accuracy=_plain(0.5), sensor=_link("urn:ngsi-ld:Device:aq-1")),
        "pm10": [
            _measure(41, "GQ"),
            _measure(44, "GQ", datasetId="urn:ngsi-ld:dataset:beta-ray"),
        ],
        "pm25": _measure(18, "GQ"),
        "airQualityIndex": _plain(63),
        "location": _point(128.8811, 35.2342),
        "refPointOfInterest": _link("urn:ngsi-ld:PointOfInterest:dongsang"),
        "scope": ["/Gimhae/Dongsang", "/KR/GN"],
    },
    {
        "@context": _context(
            "WeatherObserved", "temperature", "windDirection", "precipitation", "relativeHumidity", "weatherType"
        ),
        "id": "urn:ngsi-ld:WeatherObserved:gimhae-2026-11-22",
        "type": "WeatherObserved",
        "temperature": _measure(-3.2, "CEL"),
        "windDirection": _measure(315, "DD"),
        "precipitation": _measure(0, "MMT"),
        "relativeHumidity": _measure(0.41, "C62"),
        "weatherType": {"type": "VocabProperty", "vocab": "city:clearNight"},
        "dateObserved": _plain({"@type": "DateTime", "@value": _OBSERVED}),
        "location": _point(128.8893, 35.2285),
    },
    {
        "@context": _context("ParkingSpot", "status", "category", "refParkingSite", "width"),
        "id": "urn:ngsi-ld:ParkingSpot:city-hall:A-113",
        "type": "ParkingSpot",
        "name": _texts(ko="시청 A-113", en="City hall A-113"),
        "status": {"type": "Property", "value": "free", "observedAt": _OBSERVED, "confidence": _plain(0.98)},
        "category": _plain(["onstreet", "forDisabled"]),
        "refParkingSite": _link("urn:ngsi-ld:OffStreetParking:city-hall", objectType="city:OffStreetParking"),
        "width": _measure(3.3, "MTR"),
        "location": _point(128.8895, 35.2281),
    },
    {
        "@context": _context(
            "Streetlight", "powerState", "illuminanceLevel", "controllers", "schedule", "lanternHeight"
        ),
        "id": "urn:ngsi-ld:Streetlight:gaya-ro:17",
        "type": "Streetlight",
        "powerState": _plain("on", observedAt=_OBSERVED),
        "illuminanceLevel": _measure(0.7, "P1"),
        "lanternHeight": _measure(10, "MTR"),
        "controllers": {
            "type": "ListRelationship",
            "objectList": [{"object": "urn:ngsi-ld:Device:c1"}, {"object": "urn:ngsi-ld:Device:c2"}],
        },
        "schedule": {"type": "ListProperty", "valueList": ["17:30", "06:40"]},
        "location": _point(128.87, 35.23),
    },
    {
        "@context": _context(
            "Building", "floorsAboveGround", "occupier", "openingHours", "address", "containedInPlace"
        ),
        "id": "urn:ngsi-ld:Building:city-hall",
        "type": ["Building", "city:PublicPlace"],
        "name": _texts(ko="김해시청", en="Gimhae City Hall", **{"zh-Hans": "金海市政府"}),
        "address": _plain({"addressCountry": "KR", "streetAddress": "김해대로 2401", "type": "PostalAddress"}),
        "floorsAboveGround": _plain(9),
        "occupier": {
            "type": "Relationship",
            "object": ["urn:ngsi-ld:Organization:city", "urn:ngsi-ld:Organization:fire"],
        },
        "openingHours": _plain(["Mo-Fr 09:00-18:00"]),
        "location": {
            "type": "GeoProperty",
            "value": {
                "type": "Polygon",
                "coordinates": [
                    [[128.888, 35.228], [128.89, 35.228], [128.89, 35.229], [128.888, 35.229], [128.888, 35.228]],
                    [[128.8885, 35.2283], [128.8887, 35.2283], [128.8887, 35.2285], [128.8885, 35.2283]],
                ],
            },
            "surveyedBy": _link("urn:ngsi-ld:Organization:survey", on=_plain("2024-05-01", valueType="Date")),
        },
        "containedInPlace": {
            "type": "GeoProperty",
            "value": {"type": "MultiPolygon", "coordinates": [[[[128, 35], [129, 35], [129, 36], [128, 35]]]]},
        },
    },
    {
        "@context": _context("Device", "batteryLevel", "configuration", "controlledProperty", "rssi"),
        "id": "urn:ngsi-ld:Device:aq-1",
        "type": "Device",
        "batteryLevel": _measure(0.81, "C62"),
        "rssi": _measure(-71, "DBM"),
        "controlledProperty": _plain(["no2", "pm10", "pm25"]),
        "configuration": {
            "type": "JsonProperty",
            "json": {"interval": 60, "id": None, "@type": "raw", "nested": [{"a": []}]},
        },
        "serialNumber": _plain("9845-AX/17"),
    },
    {
        "@context": _context(
            "TrafficFlowObserved", "intensity", "averageVehicleSpeed", "laneId", "refRoadSegment", "congested"
        ),
        "id": "urn:ngsi-ld:TrafficFlowObserved:gaya-ro:E:1",
        "type": "TrafficFlowObserved",
        "intensity": _measure(197, "E34", period=_measure(300, "SEC")),
        "averageVehicleSpeed": _measure(
            52.6, "KMH", standardDeviation=_plain(7.1, method=_plain("radar", version=_plain("2.1")))
        ),
        "laneId": _plain(1),
        "congested": _plain(False),
        "refRoadSegment": _link("urn:ngsi-ld:RoadSegment:gaya-ro:4"),
        "location": {
            "type": "GeoProperty",
            "value": {"type": "LineString", "coordinates": [[128.87, 35.23], [128.875, 35.2305], [128.88, 35.231]]},
        },
    },
    {
        "@context": _context("WasteContainer", "fillingLevel", "nextEmptying", "storedWasteKind"),
        "id": "urn:ngsi-ld:WasteContainer:dongsang:3",
        "type": "WasteContainer",
        "fillingLevel": _measure(0.4, "C62"),
        "storedWasteKind": {"type": "VocabProperty", "vocab": ["city:paper", "city:glass"]},
        "nextEmptying": _plain("2026-11-24T02:00:00Z", valueType="DateTime"),
        "location": _point(128.8801, 35.2331),
    },
    {
        "@context": [
            _context("Alert", "severity", "validity"),
            {"alertSource": {"@id": "city:alertSource", "@type": "@id"}},
        ],
        "id": "urn:ngsi-ld:Alert:kma:2026-1122",
        "type": "Alert",
        "severity": _plain("high"),
        "description": _texts(ko="강풍주의보", en="Strong wind advisory"),
        "alertSource": _link("https://www.example.org/agencies/weather"),
        "validity": _plain({"from": _OBSERVED, "to": "2026-11-23T09:00:00Z"}),
        "location": {
            "type": "GeoProperty",
            "value": {
                "type": "GeometryCollection",
                "geometries": [
                    {"type": "Point", "coordinates": [128.9, 35.2]},
                    {"type": "Polygon", "coordinates": [[[128, 35], [129, 35], [129, 36], [128, 35]]]},
                ],
            },
        },
    },
]
